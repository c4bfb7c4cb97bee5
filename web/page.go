package web

import (
	"strconv"

	"goc/ops"
)

// pageOf cuts one page out of a list that a room gives whole. Its cursor is the index of the next item.
func pageOf[T any](all []T, p ops.Page) (ops.List[T], error) {
	from := 0
	if p.Cursor != "" {
		n, err := strconv.Atoi(p.Cursor)
		if err != nil || n < 0 {
			return ops.List[T]{}, ops.Errorf(ops.Invalid, "that is no cursor of this list").At("query.cursor")
		}
		from = min(n, len(all))
	}
	to := min(from+p.Size(), len(all))
	out := ops.List[T]{Items: append([]T{}, all[from:to]...)}
	if to < len(all) {
		out.Next = strconv.Itoa(to)
	}
	return out, nil
}
