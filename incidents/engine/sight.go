package engine

import (
	"cmp"
	"slices"
	"time"

	"goc/ops"
)

// sight is what an alert's labels say that it is about. A key that they do not say is empty.
type sight struct {
	service, store, city, region, network string
	kind, model, firmware, device, unit   string
	name, job, instance                   string
	start                                 time.Time
}

// The classes of symptom, by what an alert is about.
const (
	aboutService = "service" // a service, perhaps in one store
	aboutDevices = "devices" // a device, or devices of a kind, model or firmware
	aboutPlace   = "place"   // a store, city, region or network as a whole
	aboutOther   = "other"   // nothing of the vocabulary
)

func (s sight) class() string {
	switch {
	case s.service != "":
		return aboutService
	case s.device != "" || s.kind != "" || s.model != "" || s.firmware != "":
		return aboutDevices
	case s.store != "" || s.city != "" || s.region != "" || s.network != "":
		return aboutPlace
	}
	return aboutOther
}

// sightOf reads an alert's labels. A job that the catalog knows as a service is one; a store's city, region and network
// come from the catalog.
func (e *Engine) sightOf(a ops.Alert) sight {
	l := a.Labels
	s := sight{
		service: l["service"], store: l["store"], city: l["city"], region: l["region"], network: l["network"],
		kind: l["kind"], model: l["model"], firmware: l["firmware"], device: l["device"], unit: cmp.Or(l["unit"], l["pod"]),
		name: a.Name(), job: l["job"], instance: l["instance"], start: a.StartsAt.Time,
	}
	if len(e.catalog.DeviceKinds) > 0 && !slices.ContainsFunc(e.catalog.DeviceKinds, func(k ops.DeviceKind) bool { return k.Name == s.kind }) {
		s.kind = "" // many alerts say kind and mean something else
	}
	for _, k := range []string{"job", "app", "component"} {
		if _, known := e.catalog.Service(l[k]); known && s.service == "" {
			s.service = l[k]
		}
	}
	return s
}

// scope is the sight in the words of ops.Scope.
func (s sight) scope() ops.Scope {
	var out ops.Scope
	for k, v := range map[string]string{
		"service": s.service, "store": s.store, "city": s.city, "region": s.region, "kind": s.kind,
		"model": s.model, "firmware": s.firmware, "device": s.device, "unit": s.unit,
	} {
		if v != "" && len(v) <= ops.MaxNameLength {
			*out.Key(k) = []string{v}
		}
	}
	return out
}

// sightOfScope is what a declared scope says, as far as one alert could say it.
func sightOfScope(s ops.Scope, start time.Time) sight {
	first := func(v []string) string {
		if len(v) == 0 {
			return ""
		}
		return v[0]
	}
	return sight{
		service: first(s.Service), store: first(s.Store), city: first(s.City), region: first(s.Region), kind: first(s.Kind),
		model: first(s.Model), firmware: first(s.Firmware), device: first(s.Device), unit: first(s.Unit), start: start,
	}
}

// placesMeet says whether a service's symptom at s and one at o can be the same: one of them names no store, or the
// incident has the other's store, or the store is new within the window.
func placesMeet(inc *incident, o sight) bool {
	return o.store == "" || inc.rootSight.store == "" || slices.Contains(inc.Scope.Store, o.store)
}
