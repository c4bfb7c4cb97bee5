package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"goc/ops"
)

// cli is every command; kong reads it. Every flag also reads the environment variable GOC_NAME.
type cli struct {
	Demo    demoCmd    `cmd:"" help:"Show the whole product alive: an embedded world, watched by the real thing."`
	Serve   serveCmd   `cmd:"" help:"Run the server with a configuration file."`
	Replay  replayCmd  `cmd:"" help:"Run recorded history through the same engine, on virtual time."`
	Config  configCmd  `cmd:"" help:"Check a configuration file."`
	Rules   rulesCmd   `cmd:"" help:"Check or test alert rules."`
	Backup  backupCmd  `cmd:"" help:"Write everything that a server keeps into one file."`
	Restore restoreCmd `cmd:"" help:"Fill an empty data folder from a backup."`
	Audit   auditCmd   `cmd:"" help:"Verify the audit chain."`
	Version versionCmd `cmd:"" help:"Print the version."`

	Gate     gateCmd     `cmd:"" help:"Ask whether a change may go out now."`
	Change   changeCmd   `cmd:"" help:"Record changes and what becomes of them."`
	Freeze   freezeCmd   `cmd:"" help:"Freeze windows."`
	Incident incidentCmd `cmd:"" help:"Incidents, and people's work on them."`
	Silence  silenceCmd  `cmd:"" help:"Silences: hide alerts for a while."`
	Plan     planCmd     `cmd:"" help:"Response plans."`
	Drill    drillCmd    `cmd:"" help:"Drills and their scores."`
	Fleet    fleetCmd    `cmd:"" help:"Stores and devices."`
	Token    tokenCmd    `cmd:"" help:"Tokens and their roles."`

	client
}

// scopeFlags describe what something touches.
type scopeFlags struct {
	Store []string `help:"Stores, by id." placeholder:"ID"`
	City  []string `help:"Cities." placeholder:"NAME"`
	Scope []string `help:"Any keys of a scope: region=east,kind=pos,scanner (a value without a key belongs to the key before it)." placeholder:"KEY=VALUE,…" sep:"none"`
}

// scope reads the flags.
func (f scopeFlags) scope() (ops.Scope, error) {
	s := ops.Scope{Store: f.Store, City: f.City}
	for _, text := range f.Scope {
		if err := addScope(&s, text); err != nil {
			return s, exit(exitUsage, fmt.Errorf("--scope: %w", err))
		}
	}
	return s, nil
}

// addScope reads key=value pairs with commas between them. What has no = is one more value of the key before it.
func addScope(s *ops.Scope, text string) error {
	var dst *[]string
	for _, item := range splitComma(strings.ReplaceAll(text, ";", ",")) {
		key, value, named := strings.Cut(item, "=")
		if !named {
			value = item
		} else if dst = s.Key(strings.TrimSpace(key)); dst == nil {
			return fmt.Errorf("there is no key %q; the keys are %s", key, strings.Join(ops.ScopeKeys[:], ", "))
		}
		value = strings.TrimSpace(value)
		if dst == nil || value == "" {
			return fmt.Errorf("%q should read key=value, as in store=SH-001,city=上海", item)
		}
		*dst = append(*dst, value)
	}
	return nil
}

// changeFlags describe a change, in full or by its id.
type changeFlags struct {
	Change      string `help:"A change on record." placeholder:"CHG-N"`
	Stage       int    `help:"The stage that it is about, from 1; 0 is the change as a whole." placeholder:"N"`
	File        string `help:"The whole change as JSON, stages included, from a file; - is stdin." placeholder:"FILE"`
	Kind        string `help:"release, config, flag, database, firmware, price, promotion, store_opening, network, drill, other." default:"release"`
	Title       string `help:"What it is, in a few words." placeholder:"TEXT"`
	Service     string `help:"The service that changes." placeholder:"NAME"`
	Version     string `help:"The version that goes out." placeholder:"V"`
	Environment string `help:"Where it goes." default:"production"`
	Risk        string `help:"low, medium or high." enum:",low,medium,high" default:""`
	scopeFlags
}

// body is the change as the API takes it.
func (f changeFlags) body(c *client) (map[string]any, error) {
	switch {
	case f.File != "":
		c.flags = nil // what the server finds wrong is a place in the file
		return readChange(f.File)
	case f.Service == "" && f.Title == "":
		return nil, exit(exitUsage, fmt.Errorf("say which change: --change CHG-N of one on record, or --service NAME (or --title, or --file) of a new one"))
	}
	scope, err := f.scope()
	if err != nil {
		return nil, err
	}
	b := map[string]any{"kind": f.Kind, "environment": f.Environment}
	if !scope.Empty() {
		b["scope"] = scope
	}
	for k, v := range map[string]string{"title": f.Title, "service": f.Service, "version": f.Version, "risk": f.Risk} {
		if v != "" {
			b[k] = v
		}
	}
	return b, nil
}

// maxChange bounds a change in a file, as the server bounds a body.
const maxChange = 1 << 20

// readChange reads a change in JSON; the server says what is wrong within it.
func readChange(path string) (map[string]any, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, exit(exitUsage, err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxChange+1))
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("%s: %w", path, err))
	}
	if len(text) > maxChange {
		return nil, exit(exitUsage, fmt.Errorf("%s is over %d bytes", path, maxChange))
	}
	var b map[string]any
	if err := json.Unmarshal(text, &b); err != nil || b == nil {
		return nil, exit(exitUsage, fmt.Errorf("%s should hold one change as a JSON object: %w", path, orObject(err)))
	}
	return b, nil
}

// orObject names what is wrong with JSON that is valid but null.
func orObject(err error) error {
	if err == nil {
		return fmt.Errorf("it holds null")
	}
	return err
}
