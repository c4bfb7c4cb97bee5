package world

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"goc/ops"
)

// control is how plans and drills reach into the world: the chain's own release, network and database consoles.
func (w *World) control() http.Handler {
	mux := http.NewServeMux()
	post := func(path string, do func(context.Context, map[string]string) (any, error)) {
		mux.HandleFunc("POST "+path, func(rw http.ResponseWriter, r *http.Request) {
			var in map[string]string
			if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
				http.Error(rw, "the body must be a JSON object of strings", http.StatusBadRequest)
				return
			}
			// The world outlives the request: a rollback must not stop half way because its caller hung up.
			out, err := do(w.ctx, in)
			rw.Header().Set("Content-Type", "application/json")
			if err != nil {
				status := http.StatusInternalServerError
				if ops.KindOf(err) == ops.NotFound || ops.KindOf(err) == ops.Invalid {
					status = http.StatusUnprocessableEntity
				}
				rw.WriteHeader(status)
				out = map[string]string{"error": err.Error()}
			}
			json.NewEncoder(rw).Encode(out)
		})
	}
	post("/ci/rollback", func(ctx context.Context, in map[string]string) (any, error) {
		return map[string]string{"rolled_back": in["change"]}, w.ci.rollback(ctx, in["change"], "by plan")
	})
	post("/network/failover", func(ctx context.Context, in map[string]string) (any, error) {
		return w.repair(ctx, "link_down", ops.Scope{Store: oneOf(in["store"])}, "the store goes through 4G now")
	})
	post("/db/failover", func(ctx context.Context, in map[string]string) (any, error) {
		return w.repair(ctx, "slow_database", ops.Scope{}, "the replica has taken over")
	})
	post("/faults", func(ctx context.Context, in map[string]string) (any, error) {
		key, change, err := w.faults.start(ctx, in["kind"], in["drill"])
		return map[string]string{"fault": key, "change_id": change}, err
	})
	post("/faults/revert", func(ctx context.Context, in map[string]string) (any, error) {
		var errs []error
		for _, key := range w.faults.byDrill(in["drill"]) {
			errs = append(errs, w.faults.mend(ctx, key, "the drill is over"))
		}
		return map[string]string{"reverted": in["drill"]}, errors.Join(errs...)
	})
	return mux
}

// repair ends the open faults of a kind that overlap a scope.
func (w *World) repair(ctx context.Context, kind string, scope ops.Scope, note string) (any, error) {
	var mended []string
	for _, key := range w.faults.byDrill("") {
		f := w.faults.fault(key)
		if f == nil || f.Kind != kind || !f.Scope.Overlaps(scope) {
			continue
		}
		if err := w.faults.mend(ctx, key, note); err != nil {
			return nil, err
		}
		mended = append(mended, key)
	}
	w.say("ops", "%s", note)
	return map[string][]string{"mended": slices.Clip(mended)}, nil
}

func (f *faults) fault(key string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[key]
}
