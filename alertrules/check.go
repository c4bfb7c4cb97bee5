package alertrules

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/common/model"
)

// Check says what is wrong with rule files, each error with its file, line, group and rule; none means that they can
// be evaluated. Unknown fields are wrong, as for promtool.
func Check(files []string) []error {
	expanded, err := expand(files)
	if err != nil {
		return []error{err}
	}
	return check(expanded)
}

func check(files []string) (errs []error) {
	groups := 0
	for _, f := range files {
		loaded, bad := loader{slog.New(slog.DiscardHandler)}.Load(f, false, model.UTF8Validation)
		errs = append(errs, bad...)
		if loaded != nil {
			groups += len(loaded.Groups)
		}
	}
	if groups > MaxGroups {
		errs = append(errs, fmt.Errorf("%d groups over all files, at most %d may be evaluated", groups, MaxGroups))
	}
	return errs
}
