package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

type serviceAddCmd struct {
	Service string `arg:"" help:"Its name, as andon.yaml has it."`
	Repo    string `placeholder:"URL-OR-PATH" help:"The repository to watch. Left out: the service is pushed to the built-in git."`
	Trunk   string `placeholder:"BRANCH" help:"The branch that goes to production; the repository's default branch if left out."`
	credentialFlags
}

// credentialFlags say what a private repository asks for.
type credentialFlags struct {
	User       string `placeholder:"NAME" help:"For a private repository: who signs in there."`
	TokenFile  string `placeholder:"FILE" help:"For a private repository: a file with the token or password; - is standard input."`
	SSHKey     string `name:"ssh-key" placeholder:"FILE" help:"For a private repository: a private key, which the plant keeps a copy of."`
	HookSecret string `name:"hook-secret" placeholder:"FILE" help:"A file with the secret that signs calls of the repository's webhook; - is standard input."`
}

// Run makes a service known.
func (cmd *serviceAddCmd) Run(c *call) error {
	credential, err := cmd.read(c)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.AddService(c.ctx, api.AddService{
		Service: cmd.Service, Repository: local(cmd.Repo), Trunk: cmd.Trunk, Credential: credential,
	})
	if err != nil {
		return err
	}
	if cmd.Repo != "" {
		return c.done(answer, "%s is watched. Follow its first version with `andon status %s`.", cmd.Service, cmd.Service)
	}
	return c.done(answer, "%s is known. Push it to %s/git/%s.git.", cmd.Service, strings.TrimRight(client.Server, "/"), cmd.Service)
}

// local returns the absolute path of a repository on this machine, for the server stands
// elsewhere; an address stays as it is.
func local(repo string) string {
	if info, err := os.Stat(repo); err != nil || !info.IsDir() {
		return repo
	}
	if path, err := filepath.Abs(repo); err == nil {
		return path
	}
	return repo
}

// read returns what the flags say; nil: nothing.
func (f *credentialFlags) read(c *call) (*api.Credential, error) {
	credential := api.Credential{User: f.User}
	for _, secret := range []struct {
		path string
		into *string
	}{{f.TokenFile, &credential.Token}, {f.SSHKey, &credential.SSHKey}, {f.HookSecret, &credential.HookSecret}} {
		if secret.path == "" {
			continue
		}
		text, err := c.readSecret(secret.path)
		if err != nil {
			return nil, err
		}
		*secret.into = text
	}
	if credential.SSHKey != "" {
		credential.SSHKey += "\n" // ssh insists on the end of the last line
	}
	if credential == (api.Credential{}) {
		return nil, nil
	}
	return &credential, nil
}

// maxSecret bounds a file that holds a secret.
const maxSecret = 64 << 10

// readSecret reads a file, or standard input for "-", without the white space around it.
func (c *call) readSecret(path string) (string, error) {
	data, err := readAtMost(c.in, path, maxSecret)
	if err != nil {
		return "", andon.Errorf(andon.KindInvalid, "the secret in %s cannot be read", path).
			WithHint("%s", capital(reason(err))+".").Because(err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		if path == "-" {
			path = "standard input"
		}
		return "", andon.Errorf(andon.KindInvalid, "%s is empty", path).WithHint("Put the secret into it, and nothing else.")
	}
	return secret, nil
}

// reason returns what lies beneath an error of the file system, without the path again.
func reason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return fmt.Sprint(err)
}
