package main

import (
	"fmt"

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
	Store []string          `help:"Stores, by id." placeholder:"ID,…"`
	City  []string          `help:"Cities." placeholder:"NAME,…"`
	Scope map[string]string `help:"Any other key of a scope: region=east;kind=pos,scanner" placeholder:"KEY=VALUE,…" mapsep:";"`
}

// scope reads the flags; a key may hold several values, separated by commas.
func (f scopeFlags) scope() (ops.Scope, error) {
	s := ops.Scope{Store: f.Store, City: f.City}
	for k, v := range f.Scope {
		dst := s.Key(k)
		if dst == nil {
			return s, exit(exitUsage, fmt.Errorf("--scope: there is no key %q; the keys are %v", k, ops.ScopeKeys))
		}
		*dst = append(*dst, splitComma(v)...)
	}
	return s, nil
}

// changeFlags describe a change, in full or by its id.
type changeFlags struct {
	Change      string `help:"A change on record." placeholder:"CHG-N"`
	Stage       int    `help:"The stage that is about to go out; 0 is the change as a whole."`
	Kind        string `help:"release, config, flag, database, firmware, price, promotion, store_opening, network, drill, other." default:"release"`
	Title       string `help:"What it is, in a few words."`
	Service     string `help:"The service that changes."`
	Version     string `help:"The version that goes out."`
	Environment string `help:"Where it goes." default:"production"`
	Risk        string `help:"low, medium or high." enum:",low,medium,high" default:""`
	Rollback    bool   `help:"It undoes a change: never held back."`
	scopeFlags
}

// body is the change as the API takes it.
func (f changeFlags) body() (map[string]any, error) {
	if f.Change != "" {
		b := map[string]any{"change_id": f.Change}
		if f.Stage > 0 {
			b["stage"] = f.Stage
		}
		if f.Rollback {
			b["rollback"] = true
		}
		return b, nil
	}
	if f.Service == "" && f.Title == "" {
		return nil, exit(exitUsage, fmt.Errorf("say which change: --change CHG-N of one on record, or --service (or --title) of a new one"))
	}
	scope, err := f.scope()
	if err != nil {
		return nil, err
	}
	b := map[string]any{"kind": f.Kind, "environment": f.Environment, "scope": scope}
	for k, v := range map[string]string{"title": f.Title, "service": f.Service, "version": f.Version, "risk": f.Risk} {
		if v != "" {
			b[k] = v
		}
	}
	return b, nil
}
