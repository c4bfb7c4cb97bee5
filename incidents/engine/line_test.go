package engine_test

import (
	"testing"
	"time"

	"goc/incidents/engine"
)

// FuzzParseLine: whatever stands in a replay file, reading it and stepping through it must not crash.
func FuzzParseLine(f *testing.F) {
	for _, s := range []string{
		`{"at":1695397140,"kind":"topology","calls":[["a","b"],["b","a"]]}`,
		`{"at":1,"kind":"change","change":{"id":"CHG-1","kind":"release","service":"a"}}`,
		`{"at":2,"kind":"stage","change_id":"CHG-1","stage":3,"state":"finished","units":["u"],"replaces":["v"],"stores":["S"]}`,
		`{"at":3,"kind":"indicator","indicator":"success_ratio","service":"a","caller":"b","unit":"u","value":0.5}`,
		`{"at":4,"kind":"indicator","indicator":"x","value":null}`,
		`{"at":5,"kind":"alert","status":"firing","labels":{"alertname":"Low","service":"a"}}`,
		`{"at":7,"kind":"alert","step":3,"status":"firing","source":"rules","starts_at":1,"ends_at":9,"labels":{"alertname":"Low","service":"a"}}`,
		`{"at":8,"kind":"action","step":4,"who":{"name":"ann","role":"responder"},"action":{"do":"merge","id":"INC-1","into":"INC-2"}}`,
		`{"at":8,"kind":"declare","step":4,"who":{"name":"ann"},"declaration":{"title":"x"}}`,
		`{"at":9,"kind":"silence","step":5,"who":{"name":"ann"},"silence":{"matchers":[{"name":"a","value":"b","is_equal":true}],"ends_at":99}}`,
		`{"at":9,"kind":"expire","step":6,"who":{"name":"ann"},"id":"x"}`, `{"at":9,"kind":"run","id":"RUN-1","incident":"INC-1"}`,
		`{"at":9,"kind":"start","begin":{"why":"start","settings":{"Window":1}}}`, `{"at":9,"kind":"answer","answer":{"ask":"voice","voice":3}}`,
		`{"at":1e300,"kind":"tick"}`, `{"kind":"tick"}`, `[]`, `{"at":6,"kind":"change","change":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := engine.ParseLine(b)
		if err != nil {
			return
		}
		e := engine.New(engine.Config{}, nil, engine.Hooks{})
		for i := range 3 {
			e.Step(l.Input(), l.At.Add(time.Duration(i)*time.Minute))
		}
	})
}
