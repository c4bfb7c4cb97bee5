// Command goc is the command center of a retail chain: one binary, one folder of data.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	_ "time/tzdata" // a machine without zone files must still know when a store closes

	"github.com/alecthomas/kong"
)

// version is set when the program is linked.
var version = "dev"

// Exit codes, as the contract fixes them.
const (
	exitOK          = 0 // done, or allowed
	exitFailed      = 1 // denied, or the thing failed
	exitUsage       = 2 // wrong usage or input
	exitTimeout     = 3 // wait ran out of time
	exitUnavailable = 4 // the server cannot be reached or is not ready
)

// exitError carries an exit code up to main; its error has been, or will be, told.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error { return &exitError{code, err} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// streams are where a command writes: what was asked for, and what is said besides.
type streams struct{ out, err io.Writer }

// run is the whole program; tests call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	out := streams{stdout, stderr}
	parser, err := kong.New(&c, kong.Name("goc"), kong.Description("The command center of a retail chain: sees everything, guards releases, names suspects, puts things right."),
		kong.DefaultEnvars("GOC"), kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exitError{code: n}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(out))
	if err != nil {
		return c.client.report(err, out)
	}
	if len(args) == 1 && args[0] == "--version" { // as people try first
		args = []string{"version"}
	}
	code, helped := exitOK, false
	func() {
		defer func() { // --help asks to exit from within the parser
			if p := recover(); p != nil {
				e, ok := p.(exitError)
				if !ok {
					panic(p)
				}
				code, helped = e.code, true
			}
		}()
		var k *kong.Context
		if k, err = parser.Parse(args); err != nil {
			c.JSON = c.JSON || slices.Contains(args, "--json")
			err = misused(err)
			return
		}
		c.client.flags = flagNames(k)
		err = k.Run(ctx, &c.client)
	}()
	if helped {
		return code
	}
	return c.client.report(err, out)
}

// misused says what is wrong with a command line, and which --help tells more.
func misused(err error) error {
	command := "goc"
	var pe *kong.ParseError
	if errors.As(err, &pe) {
		for _, p := range pe.Context.Path {
			if p.Command != nil {
				command += " " + p.Command.Name
			}
		}
	}
	text := strings.ReplaceAll(err.Error(), `"",`, "") // an enum's "not given"
	return exit(exitUsage, fmt.Errorf("%s (see %s --help)", text, command))
}

// flagNames are the flags of the command that was chosen.
func flagNames(k *kong.Context) map[string]bool {
	names := map[string]bool{}
	for _, group := range k.Selected().AllFlags(false) {
		for _, f := range group {
			names[f.Name] = true
		}
	}
	return names
}
