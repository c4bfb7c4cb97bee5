package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"goc/alertrules"
	"goc/ops"
	"goc/storage"
)

type serveCmd struct {
	Config   string `help:"The configuration file." required:"" placeholder:"goc.yaml"`
	LogLevel string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
}

// Run serves until it is told to stop.
func (k *serveCmd) Run(ctx context.Context, s streams) error {
	cfg, err := loadConfig(k.Config)
	if err != nil {
		return exit(exitUsage, err)
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("%w (is another program listening on %s?)", err, cfg.Listen)
	}
	cfg.file = k.Config
	a, err := start(ctx, cfg, ln, logger(s.err, k.LogLevel))
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	fmt.Fprintf(s.err, "goc %s serves %s; data in %s\n", version, a.url, cfg.Data)
	return a.wait()
}

// logger writes lines of key=value.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	l.UnmarshalText([]byte(level)) // kong lets only known levels through
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Read a configuration file as serve would, and say what is wrong."`
}

type configCheckCmd struct {
	File string `arg:"" help:"The configuration file."`
}

// Run checks a configuration file with the rule files that it names.
func (k *configCheckCmd) Run(c *client, s streams) error {
	cfg, err := loadConfig(k.File)
	if err != nil {
		return exit(exitUsage, err)
	}
	if errs := alertrules.Check(cfg.AlertRules.Files); len(errs) > 0 {
		return exit(exitUsage, errors.Join(errs...))
	}
	n := map[string]int{"services": len(cfg.Catalog.Services), "stores": len(cfg.Catalog.Stores), "plans": len(cfg.Plans.Plans), "drills": len(cfg.Drills.Drills)}
	return c.show(s, n, func(w io.Writer) {
		fmt.Fprintf(w, "%s: good (%d services, %d stores, %d plans, %d drills)\n", k.File, n["services"], n["stores"], n["plans"], n["drills"])
	})
}

type rulesCmd struct {
	Check rulesCheckCmd `cmd:"" help:"Check Prometheus rule files."`
	Test  rulesTestCmd  `cmd:"" help:"Run rule tests, in the format of promtool test rules."`
}

type rulesCheckCmd struct {
	Files []string `arg:"" help:"Rule files."`
}

// Run checks rule files.
func (k *rulesCheckCmd) Run(c *client, s streams) error {
	if errs := alertrules.Check(k.Files); len(errs) > 0 {
		return exit(exitUsage, errors.Join(errs...))
	}
	return c.show(s, map[string]int{"files": len(k.Files)}, func(w io.Writer) { fmt.Fprintf(w, "%d rule files: good\n", len(k.Files)) })
}

type rulesTestCmd struct {
	Files []string `arg:"" help:"Test files."`
}

// Run runs rule tests; what failed is written to stdout, with --json to stderr.
func (k *rulesTestCmd) Run(c *client, s streams) error {
	out := s.out
	if c.JSON {
		out = s.err
	}
	if err := alertrules.Test(k.Files, out); err != nil {
		return exit(exitFailed, err)
	}
	return c.show(s, map[string]int{"files": len(k.Files)}, func(io.Writer) {})
}

// stateFlags say where state lives, for the commands that work on it without a server.
type stateFlags struct {
	Config string `help:"The configuration file of the server." placeholder:"goc.yaml"`
	Data   string `help:"Its data folder, in place of --config." placeholder:"DIR"`
}

func (f stateFlags) options() (storage.Options, error) {
	if (f.Config == "") == (f.Data == "") {
		return storage.Options{}, exit(exitUsage, errors.New("give --config FILE, or --data DIR"))
	}
	if f.Data != "" {
		return storage.Options{Dir: f.Data}, nil
	}
	cfg, err := loadConfig(f.Config)
	if err != nil {
		return storage.Options{}, exit(exitUsage, err)
	}
	return cfg.storage(), nil
}

// storage is where the configuration keeps state.
func (c *config) storage() storage.Options {
	o := storage.Options{Dir: c.Data}
	if strings.HasPrefix(c.Storage, "postgres") {
		o.URL = c.Storage
	}
	return o
}

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Walk the chain of events and find the first byte that was changed."`
}

type auditVerifyCmd struct{ stateFlags }

// Run verifies the chain beside a running server, or without one.
func (k *auditVerifyCmd) Run(ctx context.Context, c *client, s streams) error {
	o, err := k.options()
	if err != nil {
		return err
	}
	r, err := storage.OpenReadOnly(ctx, o)
	if err != nil {
		return err
	}
	defer r.Close()
	report, err := r.Verify(ctx)
	if err != nil {
		return err
	}
	err = c.show(s, report, func(w io.Writer) { tellChain(w, report) })
	if err == nil && !report.Intact {
		return exit(exitFailed, nil)
	}
	return err
}

func tellChain(w io.Writer, r ops.ChainReport) {
	if r.Intact {
		fmt.Fprintf(w, "intact: %d events, the last is %d\n", r.Events, r.LastSeq)
		return
	}
	fmt.Fprintf(w, "BROKEN at event %d: %s\n", r.BadSeq, r.Problem)
}

type backupCmd struct {
	File string `arg:"" help:"The file to write; it must not exist."`
	stateFlags
}

// Run backs up beside a running server, or without one.
func (k *backupCmd) Run(ctx context.Context, c *client, s streams) error {
	o, err := k.options()
	if err != nil {
		return err
	}
	r, err := storage.OpenReadOnly(ctx, o)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Backup(ctx, k.File); err != nil {
		return err
	}
	return c.show(s, map[string]string{"backup": k.File}, func(w io.Writer) { fmt.Fprintf(w, "%s written\n", k.File) })
}

type restoreCmd struct {
	File string `arg:"" help:"The backup."`
	stateFlags
}

// Run fills an empty place from a backup.
func (k *restoreCmd) Run(ctx context.Context, c *client, s streams) error {
	o, err := k.options()
	if err != nil {
		return err
	}
	if err := storage.Restore(ctx, o, k.File); err != nil {
		return err
	}
	return c.show(s, map[string]string{"restored": k.File}, func(w io.Writer) { fmt.Fprintln(w, "restored; start the server on it now") })
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(c *client, s streams) error {
	return c.show(s, map[string]string{"version": version}, func(w io.Writer) { fmt.Fprintln(w, "goc", version) })
}
