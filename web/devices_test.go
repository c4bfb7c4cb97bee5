package web_test

import (
	"strings"
	"testing"

	"goc/ops"
)

func TestDevicesAreListedByAFilter(t *testing.T) {
	w := newWorld(t)
	got := w.must(200, w.do(ops.Viewer, "GET", "/api/v1/devices?store=SH-001,SH-002&device=pos-01&state=late&cursor=a/b", "")).json(t)
	items := got["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["id"] != "SH-001|SH-002|pos-01|late|a/b" || !strings.HasSuffix(got["next"].(string), "/next") {
		t.Errorf("%v", got)
	}
	w.problem(422, w.do(ops.Viewer, "GET", "/api/v1/devices?state=asleep", ""))
	w.problem(403, w.do(ops.Agent, "GET", "/api/v1/devices", ""))
}

func TestAnImportOfDevicesIsAnsweredRowByRow(t *testing.T) {
	w := newWorld(t)
	rows := `{"devices":[{"store":"SH-001","device":"pos-01","kind":"pos","model":"X1","firmware":"4"},{"device":"pos-02"}]`
	got := w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices", rows+`}`)).json(t)
	if got["new"] != 1.0 || len(got["rejected"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	got = w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices", rows+`,"dry_run":true}`)).json(t)
	if got["new"] != 0.0 || got["unchanged"] != 1.0 {
		t.Errorf("dry: %v", got)
	}
	w.problem(403, w.do(ops.Responder, "POST", "/api/v1/devices", rows+`}`))
	w.problem(422, w.do(ops.Commander, "POST", "/api/v1/devices", `{"devices":[{"shop":"x"}]}`))
	w.problem(400, w.do(ops.Commander, "POST", "/api/v1/devices", `{"devices":[`))
	many := strings.Repeat(`{"store":"a-store-with-a-long-name","device":"a-device-with-a-long-name","kind":"rider_terminal","model":"a-model","firmware":"4.2.1"},`, 10_000)
	got = w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices", `{"devices":[`+strings.TrimSuffix(many, ",")+`]}`)).json(t)
	if got["new"] != 10_000.0 {
		t.Errorf("%v", got)
	}
	w.problem(413, w.do(ops.Commander, "POST", "/api/v1/devices", `{"devices":[`+many+`{}]}`))
}

func TestDevicesAreRetiredMovedAndRenamed(t *testing.T) {
	w := newWorld(t)
	got := w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices/retire", `{"devices":[{"store":"SH-001","device":"pos-01"},{"store":"SH-001"}]}`)).json(t)
	if got["accepted"] != 1.0 || len(got["rejected"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	got = w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-01/move", `{"store":"SH-002"}`)).json(t)
	if got["id"] != "SH-002/pos-01" {
		t.Errorf("%v", got)
	}
	got = w.must(200, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-01/rename", `{"device":"till-1"}`)).json(t)
	if got["id"] != "SH-001/till-1" {
		t.Errorf("%v", got)
	}
	w.problem(409, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-01/move", `{"store":"SH-001"}`))
	w.problem(422, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-01/move", `{}`))
	w.problem(422, w.do(ops.Commander, "POST", "/api/v1/devices/SH-001/pos-01/rename", `{"device":"x","store":"y"}`))
	for _, path := range []string{"retire", "SH-001/pos-01/move", "SH-001/pos-01/rename"} {
		w.problem(403, w.do(ops.Responder, "POST", "/api/v1/devices/"+path, `{}`))
	}
}
