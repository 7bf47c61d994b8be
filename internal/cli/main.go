package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Main runs one command and returns the exit code of its process. args begins with the
// program's name, as os.Args does. SIGINT, SIGTERM and SIGHUP end the command in an orderly way;
// a second one ends the process at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	keepInherited()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup wants the process to outlive its terminal
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, args, &terminal{in: stdin, out: stdout, err: stderr, getenv: os.Getenv})
}

// exited carries the code of a command that kong itself ends, as --help does.
type exited int

// run parses the arguments and runs the command that they name.
func run(ctx context.Context, args []string, t *terminal) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			code = int(e)
		default:
			panic(e)
		}
	}()
	var p program
	parser, err := newParser(&p, t)
	if err != nil {
		return t.fail(err, false)
	}
	rest := args[min(1, len(args)):]
	if len(rest) == 0 {
		rest = []string{"--help"}
	}
	parsed, err := parser.Parse(rest)
	if err != nil {
		return t.fail(misuse(err), p.JSON || slices.Contains(rest, "--json"))
	}
	c := &call{terminal: t, ctx: ctx, json: p.JSON, connection: p.Plant}
	return t.fail(c.withAdvice(parsed.Run(c)), p.JSON)
}

// newParser returns the parser of the whole command line. What it prints goes to t.
func newParser(p *program, t *terminal) (*kong.Kong, error) {
	return kong.New(p,
		kong.Name("andon"),
		kong.Description("Andon takes every commit to production, or stops the line."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ExplicitGroups(groups()),
	)
}

// misuse returns kong's complaint as a usage error, with the help to read.
func misuse(err error) error {
	usage := &usageError{message: misuseWords(err.Error()), hint: "See `andon --help`."}
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil {
		if cmd := p.Context.Selected(); cmd != nil {
			usage.hint = "See `andon " + cmd.Path() + " --help`."
		} else if word, ok := strings.CutPrefix(usage.message, "unexpected argument "); ok {
			usage.message = "there is no command " + word
		}
	}
	return usage
}

// misuseWords says what kong says as all other errors are said.
func misuseWords(message string) string {
	if flag, rest, _ := strings.Cut(message, ": expected "); strings.Contains(rest, `value but got "EOL"`) {
		return flag + " needs a value"
	}
	if flag, rest, _ := strings.Cut(message, ": expected "); strings.Contains(rest, "(short flag); perhaps try") {
		_, got, _ := strings.Cut(rest, `got "`)
		got, _, _ = strings.Cut(got, `"`)
		return flag + " does not take " + got
	}
	if missing, ok := strings.CutPrefix(message, "expected "); ok {
		if word, err := strconv.Unquote(missing); err == nil {
			missing = word
		}
		return missing + " is missing"
	}
	if missing, ok := strings.CutPrefix(message, "missing flags: "); ok {
		return missing + " is missing"
	}
	return message
}
