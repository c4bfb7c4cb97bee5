package main

import (
	"fmt"
	"io"
	"os"

	locate "goc/collectors/fleet/explain"
)

type fleetExplainCmd struct {
	File   string `arg:"" help:"Counts as CSV: minute (0 is now, negative before), any attribute columns, affected, total; - is stdin."`
	Things string `help:"What is counted." default:"devices"`
	State  string `help:"What is wrong with them." default:"are affected"`
}

// Run names what the affected of a file have in common. It asks no server.
func (k *fleetExplainCmd) Run(c *client, s streams) error {
	in := io.Reader(os.Stdin)
	if k.File != "-" {
		f, err := os.Open(k.File)
		if err != nil {
			return exit(exitUsage, err)
		}
		defer f.Close()
		in = f
	}
	counts, refused, err := locate.ReadCSV(in)
	tellRefused(s.err, refused)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("%s: %w", k.File, err))
	}
	r, err := locate.Explain(counts, locate.Options{Things: k.Things, State: k.State})
	if err != nil {
		return exit(exitUsage, fmt.Errorf("%s: %w", k.File, err))
	}
	return c.show(s, r, func(w io.Writer) { tellCauses(w, r, k.Things+" "+k.State) })
}

// tellRefused names rows that did not count.
func tellRefused(w io.Writer, refused locate.Skips) {
	for _, row := range refused.First {
		fmt.Fprintf(w, "line %d does not count: %s\n", row.Line, row.Reason)
	}
	if more := refused.Count - len(refused.First); more > 0 {
		fmt.Fprintf(w, "%d more lines do not count\n", more)
	}
}

func tellCauses(w io.Writer, r locate.Result, who string) {
	if len(r.Causes) == 0 {
		fmt.Fprintf(w, "nothing singles out a part; %d %s\n", r.Unexplained, who)
		return
	}
	for _, c := range r.Causes {
		or := ""
		if c.Alternative {
			or = "or: "
		}
		fmt.Fprintf(w, "%3.0f%%  %s%s (%.1f times as many)\n", 100*c.Probability, or, c.Text, c.Lift)
	}
	fmt.Fprintf(w, "%d more %s\n", r.Unexplained, who)
}
