package explain

import (
	"fmt"
	"strconv"
	"strings"
)

// Options bound the search and choose the words. The zero value means the defaults.
type Options struct {
	MaxCauses int    // how many causes at most; 8
	MaxDepth  int    // how many attributes one cause names at most; 3
	Things    string // what is counted, for the text; "devices"
	State     string // what is wrong with them; "are affected"
}

func (o Options) orDefaults() Options {
	if o.MaxCauses <= 0 {
		o.MaxCauses = 8
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 3
	}
	if o.Things == "" {
		o.Things = "devices"
	}
	if o.State == "" {
		o.State = "are affected"
	}
	return o
}

// Result is the explanation: the causes that hold together, strongest first, and after them what else could have been
// meant in place of one of them.
type Result struct {
	Causes      []Cause `json:"causes"`
	Unexplained uint64  `json:"unexplained"` // affected that lie in no cause (alternatives do not count)
}

// Cause is one set that explains part of the affected.
type Cause struct {
	Scope       map[string][]string `json:"scope"`
	Affected    uint64              `json:"affected"`  // of the set
	Total       uint64              `json:"total"`     // the set's size
	Explained   uint64              `json:"explained"` // affected that no cause before it explains; 0 for an alternative
	Lift        float64             `json:"lift"`      // share affected in the set over the share outside of all causes, half a device added to both
	Probability float64             `json:"probability"`
	Alternative bool                `json:"alternative,omitempty"` // could stand in place of a cause, and is less probable
	Text        string              `json:"text"`
}

// said writes the sentence for people.
func (c Cause) said(axes []Axis, terms []term, rest tally, o Options) string {
	var names []string
	for _, t := range terms {
		names = append(names, axes[t.axis].Name+" "+axes[t.axis].Values[t.code])
	}
	where := " everywhere"
	if len(names) > 0 {
		where = " with " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s of %s %s%s %s, %s of %s others",
		thousands(c.Affected), thousands(c.Total), o.Things, where, o.State, thousands(rest.affected), thousands(rest.total))
}

// thousands writes 12345 as 12,345.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
