package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"goc/ops"
)

type changeMatrixCmd struct{ onRecord }

// Run shows each store of a rollout, by city.
func (k *changeMatrixCmd) Run(ctx context.Context, c *client, s streams) error {
	id, err := k.id()
	if err != nil {
		return err
	}
	var m ops.RolloutMatrix
	if err := c.do(ctx, http.MethodGet, api("changes", id, "matrix"), nil, &m); err != nil {
		return err
	}
	return c.show(s, m, func(w io.Writer) {
		if len(m.Cells) == 0 {
			fmt.Fprintf(w, "%s goes to no store\n", m.ChangeID)
			return
		}
		table(w, "CITY\tSTORE\tRING\tSTATE\tSINCE", len(m.Cells), func(i int) string {
			cell := m.Cells[i]
			ring, since := "-", "-"
			if cell.Stage > 0 {
				ring = fmt.Sprint(cell.Stage)
			}
			if !cell.At.IsZero() {
				since = clock(cell.At)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", cell.City, cell.Store, ring, strings.ReplaceAll(string(cell.State), "_", " "), since)
		})
		if m.Omitted > 0 {
			fmt.Fprintf(w, "and %d stores more\n", m.Omitted)
		}
	})
}
