package cli

import "github.com/alecthomas/kong"

// A program is the whole command line. A command is a field here and a file of its own.
type program struct {
	Plant connection `embed:""`
	JSON  bool       `name:"json" group:"every" help:"Print JSON: one object, or one a line with -f; errors too."`

	Server serverCmd `cmd:"" group:"start" help:"Run a plant: server, agent, git, registry and proxy."`
	Demo   demoCmd   `cmd:"" group:"start" help:"Watch a whole plant take a service to production and back."`

	Init  initCmd  `cmd:"" group:"write" help:"Write an andon.yaml for the repository you stand in."`
	Check checkCmd `cmd:"" group:"write" help:"Say what is wrong with an andon.yaml."`
	Run   runCmd   `cmd:"" group:"write" help:"Run the commit stage of this working tree, here."`

	Status   statusCmd   `cmd:"" group:"see" help:"What is live, what is on its way, what stands still."`
	Board    boardCmd    `cmd:"" group:"see" help:"The board, on a whole terminal."`
	Why      whyCmd      `cmd:"" group:"see" help:"Why something does not move, and how to go on."`
	Queue    queueCmd    `cmd:"" group:"see" help:"Everything that does not move, what it waits for, and who can unblock it."`
	Search   searchCmd   `cmd:"" group:"see" help:"Find a version, commit, ticket, digest, person or deployment."`
	Wait     waitCmd     `cmd:"" group:"see" help:"Wait until a version is built, certified, live, …"`
	Log      logCmd      `cmd:"" group:"see" help:"The output of jobs and of running copies."`
	Flow     flowCmd     `cmd:"" group:"see" help:"Where the time between commit and production goes."`
	Measures measuresCmd `cmd:"" group:"see" help:"The figures of DORA, and those that this plant promises."`
	Maturity maturityCmd `cmd:"" group:"see" help:"Which practices of continuous delivery this plant follows."`
	Audit    auditCmd    `cmd:"" group:"see" help:"Everything that happened; and whether the record of it is intact."`

	Promote  promoteCmd  `cmd:"" group:"move" help:"Let a version into a stage that waits for a person."`
	Deploy   deployCmd   `cmd:"" group:"move" help:"Make a version live in an environment."`
	Rollback rollbackCmd `cmd:"" group:"move" help:"Make the previous good version live again."`
	Cancel   cancelCmd   `cmd:"" group:"move" help:"End a version's way, or a deployment."`
	Rerun    rerunCmd    `cmd:"" group:"move" help:"Run a version's stage, or a deployment, again."`
	Cord     cordCmd     `cmd:"" group:"move" help:"Stop the line, or let it run again."`

	Estate        estateCmd        `cmd:"" group:"keep" help:"See, compare and apply what declares the environments."`
	Service       serviceCmd       `cmd:"" group:"keep" help:"Add, list and remove services."`
	Host          hostCmd          `cmd:"" group:"keep" help:"List, add and remove the hosts that copies run on."`
	Agent         agentCmd         `cmd:"" group:"keep" help:"Run an agent on this host, or get the token for one."`
	Down          downCmd          `cmd:"" group:"keep" help:"Stop a plant and everything that it runs."`
	Backup        backupCmd        `cmd:"" group:"keep" help:"Write a plant to one file, while it runs."`
	Restore       restoreCmd       `cmd:"" group:"keep" help:"Make a data directory from a backup."`
	Doctor        doctorCmd        `cmd:"" group:"keep" help:"Say whether this machine has what a plant needs."`
	Schema        schemaCmd        `cmd:"" group:"keep" help:"Print the JSON Schema of andon.yaml, for editors."`
	GitCredential gitCredentialCmd `cmd:"" group:"keep" help:"Sign git in to the plant, as a git credential helper."`
	Version       versionCmd       `cmd:"" group:"keep" help:"Print which andon this is."`

	Proxy proxyCmd `cmd:"" hidden:"" help:"The proxy process that an agent keeps."`
}

// groups are the headings of the help, in the order in which the fields of program bring them.
func groups() []kong.Group {
	return []kong.Group{
		{Key: "start", Title: "Start here:"},
		{Key: "write", Title: "In a repository:"},
		{Key: "see", Title: "See:"},
		{Key: "move", Title: "Act:"},
		{Key: "keep", Title: "Keep:"},
		{Key: "plant", Title: "Which plant (default: the last one that you started here):"},
		{Key: "every", Title: "Form of the answer:"},
	}
}
