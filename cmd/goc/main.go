// Command goc is the command center of a retail chain: one binary, one folder of data.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
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
	code := exitOK
	parser, err := kong.New(&c, kong.Name("goc"), kong.Description("The command center of a retail chain: sees everything, guards releases, names suspects, puts things right."),
		kong.DefaultEnvars("GOC"), kong.UsageOnError(), kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exitError{code: n}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdout, stderr}))
	if err != nil {
		fmt.Fprintln(stderr, "goc:", err)
		return exitFailed
	}
	func() {
		defer func() { // --help asks to exit from within the parser
			if p := recover(); p != nil {
				e, ok := p.(exitError)
				if !ok {
					panic(p)
				}
				code, err = e.code, errHelped
			}
		}()
		var k *kong.Context
		if k, err = parser.Parse(args); err != nil {
			err = exit(exitUsage, fmt.Errorf("%w (goc --help lists what there is)", err))
			return
		}
		err = k.Run(ctx, &c.client)
	}()
	if errors.Is(err, errHelped) {
		return code
	}
	return report(err, stderr)
}

var errHelped = errors.New("help was shown")

// report says what went wrong, once, and turns it into the exit code.
func report(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code, err = e.code, e.err
	}
	if err != nil {
		fmt.Fprintln(stderr, "goc:", err)
	}
	return code
}
