package history

import (
	"time"

	"goc/incidents/engine"
	"goc/ops"
)

// catalogPart is how many services or stores stand on one line.
const catalogPart = 500

// appendBeginning appends the lines of a beginning.
func appendBeginning(b []byte, at time.Time, begin engine.Beginning, cat *ops.Catalog, saved engine.Saved) ([]byte, error) {
	b, err := engine.AppendLine(b, engine.Head{Kind: "start", At: at}, engine.Recorded{Begin: &begin})
	if err != nil {
		return b, err
	}
	if b, err = appendCatalog(b, at, cat); err != nil {
		return b, err
	}
	for _, rec := range saved.Records() {
		if len(rec.Body) > MaxLine/2 {
			continue // no reader would take it
		}
		if b, err = engine.AppendLine(b, engine.Head{Kind: "record", At: at}, engine.Recorded{Record: rec.Kind, ID: rec.ID, Body: rec.Body}); err != nil {
			return b, err
		}
	}
	return engine.AppendLine(b, engine.Head{Kind: "ready", At: at}, nil)
}

// appendCatalog appends a catalog in parts.
func appendCatalog(b []byte, at time.Time, cat *ops.Catalog) ([]byte, error) {
	var err error
	for services, stores, first := cat.Services, cat.Stores, true; first || len(services)+len(stores) > 0; first = false {
		part := ops.Catalog{Services: services[:min(catalogPart, len(services))], Stores: stores[:min(catalogPart, len(stores))]}
		services, stores = services[len(part.Services):], stores[len(part.Stores):]
		if first {
			part.DeviceKinds = cat.DeviceKinds
		}
		if b, err = engine.AppendLine(b, engine.Head{Kind: "catalog", At: at}, engine.Recorded{Catalog: &part}); err != nil {
			return b, err
		}
	}
	return b, nil
}

// appendStep appends the lines of a step, what other rooms answered in it before.
func appendStep(b []byte, e entry) ([]byte, error) {
	var err error
	for i := range e.answers {
		if b, err = engine.AppendLine(b, engine.Head{Kind: "answer", At: e.at, Step: e.step}, engine.Recorded{Answer: &e.answers[i]}); err != nil {
			return b, err
		}
	}
	return engine.AppendLines(b, e.step, e.at, e.in)
}
