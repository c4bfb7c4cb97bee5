package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"syscall"
	"text/template"

	"go.yaml.in/yaml/v3"

	"goc/world"
)

type demoCmd struct {
	Listen   string  `help:"Where the war room and the API are; loopback only." default:"127.0.0.1:8420"`
	Data     string  `help:"Folder for everything that is kept. Default: a fresh one that is removed at the end." placeholder:"DIR"`
	Seed     uint64  `help:"The same seed breaks the same things in the same order." default:"1"`
	Speed    float64 `help:"How much faster than usual faults and releases come." default:"1"`
	NoFaults bool    `help:"Keep the world healthy."`
}

//go:embed demo.yaml.tmpl
var demoYAML string

// Run makes the world, writes the configuration that watches it, starts the server on that and lets the world live.
func (d *demoCmd) Run(ctx context.Context, s streams) error {
	dir, remove, err := d.folder()
	if err != nil {
		return err
	}
	defer remove()
	ctx, unhook := signal.NotifyContext(ctx, syscall.SIGHUP) // whose terminal is closed has seen enough
	defer unhook()
	// The world ends after the program: at the end a drill's fault is taken away from it, and chat gets what is under way.
	outlasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// Listen first: nothing else should start when the port is taken, and port 0 gets its number here.
	ln, err := net.Listen("tcp", d.Listen)
	if err != nil {
		return fmt.Errorf("%w (another goc? try --listen 127.0.0.1:0)", err)
	}
	w, err := world.New(outlasting, world.Options{Seed: d.Seed, Speed: d.Speed, NoFaults: d.NoFaults, Dir: dir, Out: s.out})
	if err != nil {
		return err
	}
	cfg, err := demoConfig(dir, ln.Addr().String(), w)
	if err != nil {
		return err
	}
	a, err := start(ctx, cfg, ln, logger(s.err, "warn"))
	if err != nil {
		return err
	}
	tokens, err := demoTokens(ctx, a.url)
	if err != nil {
		return errors.Join(err, a.stop())
	}
	d.greet(s.out, a.url, w, dir)
	w.Live(a.url, tokens)
	err = a.wait()
	cancel()
	w.Wait()
	return err
}

// folder makes the data folder; remove takes a fresh one away again.
func (d *demoCmd) folder() (dir string, remove func(), err error) {
	if d.Data != "" {
		return d.Data, func() {}, os.MkdirAll(d.Data, 0o755)
	}
	dir, err = os.MkdirTemp("", "goc-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// demoConfig writes goc.yaml and catalog.yaml into the folder and loads them as `goc serve` would.
func demoConfig(dir, listen string, w *world.World) (*config, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	type target struct{ Service, Addr string }
	var targets []target
	for name, addr := range w.Targets() {
		targets = append(targets, target{name, addr})
	}
	sort.Slice(targets, func(i, j int) bool { return targets[i].Service < targets[j].Service })
	var text bytes.Buffer
	err = template.Must(template.New("goc.yaml").Parse(demoYAML)).Execute(&text, map[string]any{
		"Listen": listen, "Data": abs, "Targets": targets, "Control": w.ControlURL(), "Chat": w.ChatURL(), "ChatSecret": w.ChatSecret(), "URL": "http://" + listen,
	})
	if err != nil {
		return nil, err
	}
	catalog, err := yaml.Marshal(world.Catalog())
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "catalog.yaml"), catalog, 0o644); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "goc.yaml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	return loadConfig(path)
}

func (d *demoCmd) greet(out io.Writer, url string, w *world.World, dir string) {
	fmt.Fprintf(out, `GOC demo: 5 cities, 10 stores, 500 devices, 24 services, one CI.

  war room   %[1]s            态势 · what is wrong, where, since when
  wall       %[1]s/?wall=1
  chat       %[2]s            what the engineers see
  API        %[1]s/openapi.json
  ask it     goc incident list · goc change list · goc fleet list · goc drill list   (GOC_SERVER=%[1]s)
  data       %[3]s  (faults.jsonl: what was really broken)

`, url, w.ChatURL(), dir)
	if d.NoFaults {
		fmt.Fprintln(out, "--no-faults: the world stays healthy.")
	} else {
		fmt.Fprintln(out, "In some 12 s a drill sends a bad release to two stores. Watch the war room: incident, suspect, plan, recovery, score.\nThe on-call (值班甲) acts when you do not. Then something else breaks every few minutes.")
	}
	fmt.Fprint(out, "Stop with Ctrl-C.\n\n")
}
