package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// darkFirmware is a file in which firmware 4.2.1 of kind pos is dark, with one row that is wrong.
func darkFirmware(t *testing.T) string {
	t.Helper()
	text := "minute,city,kind,firmware,affected,total\n0,上海,pos,4.2.1,7,5\n"
	for _, city := range []string{"上海", "成都", "广州"} {
		for _, kind := range []string{"pos", "scale"} {
			for _, firmware := range []string{"4.2.0", "4.2.1"} {
				now := "1"
				if kind == "pos" && firmware == "4.2.1" {
					now = "190"
				}
				row := city + "," + kind + "," + firmware + ","
				text += "-2," + row + "1,200\n-1," + row + "2,200\n0," + row + now + ",200\n"
			}
		}
	}
	path := filepath.Join(t.TempDir(), "dark.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFleetExplainNamesWhatTheAffectedShareWithoutAServer(t *testing.T) {
	path := darkFirmware(t)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"fleet", "explain", path, "--json", "--server", "http://127.0.0.1:1"}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var got struct {
		Causes []struct {
			Scope           map[string][]string
			Affected, Total int
			Lift            float64
			Probability     float64
			Text            string
		}
		Unexplained int
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if len(got.Causes) != 1 || got.Causes[0].Affected != 570 || got.Causes[0].Total != 600 || got.Unexplained != 9 {
		t.Fatalf("%+v", got)
	}
	c := got.Causes[0]
	if c.Scope["firmware"][0] != "4.2.1" || c.Scope["kind"][0] != "pos" || len(c.Scope) != 2 || c.Lift < 100 || c.Probability < .9 {
		t.Errorf("%+v", c)
	}
	if want := "570 of 600 devices with kind pos, firmware 4.2.1 are affected, 9 of 1,800 others"; c.Text != want {
		t.Errorf("says %q, want %q", c.Text, want)
	}
	if !strings.Contains(errs.String(), "line 2 does not count: more are affected than there are") {
		t.Errorf("the wrong row is not told: %s", &errs)
	}
}

func TestFleetExplainSaysItToPeople(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"fleet", "explain", darkFirmware(t), "--state", "are dark"}, &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	if !strings.Contains(out.String(), "570 of 600 devices with kind pos, firmware 4.2.1 are dark, 9 of 1,800 others") || !strings.Contains(out.String(), "9 more devices are dark") {
		t.Errorf("says %s", &out)
	}
}

func TestFleetExplainRefusesWhatIsNoCSVOfCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("city,count\na,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, filepath.Join(t.TempDir(), "missing.csv")} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"fleet", "explain", file}, &out, &errs); code != exitUsage || out.Len() > 0 {
			t.Errorf("exit code %d, says %s%s", code, &out, &errs)
		}
	}
}
