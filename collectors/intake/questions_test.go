package intake

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"goc/ops"
)

func TestAQuestionThatWasTakenIsKnownAfterARestart(t *testing.T) {
	p := newProtected(t)
	if code, body := p.deliver(p.requested(), "d-1"); code != 200 || len(p.book.records) != 2 {
		t.Fatalf("%d %s, %d records", code, body, len(p.book.records))
	}
	p.start()
	other := p.requested()
	other["environment"] = "staging"
	for _, c := range []struct {
		name, delivery string
		payload        map[string]any
		want           int
	}{
		{"the same delivery", "d-1", p.requested(), 409},
		{"the same body as another delivery", "d-2", p.requested(), 409},
		{"the same delivery with another body", "d-1", other, 409},
		{"another question", "d-3", other, 200},
	} {
		if code, body := p.deliver(c.payload, c.delivery); code != c.want {
			t.Errorf("%s is answered %d %s, want %d", c.name, code, body, c.want)
		}
	}
	if len(p.book.effects) != 2 || p.book.lines("hook.refused") != 1 {
		t.Errorf("%d questions wait, %d audit lines", len(p.book.effects), p.book.lines("hook.refused"))
	}
}

func TestAQuestionIsForgottenWhenItsSenderCouldNotPutItAnyMore(t *testing.T) {
	p := newProtected(t)
	p.deliver(p.requested(), "d-1")
	p.s.now = func() time.Time { return start.Add(maxWaiting) }
	if code, _ := p.deliver(p.requested(), "d-2"); code != 409 || len(p.book.records) != 2 {
		t.Errorf("a deployment of thirty days ago is answered %d; %d records", code, len(p.book.records))
	}
	late := p.requested()
	late["deployment"].(map[string]any)["created_at"] = start.Add(maxWaiting - time.Hour).Format(time.RFC3339)
	if code, body := p.deliver(late, "d-3"); code != 200 || len(p.book.records) != 2 {
		t.Errorf("%d %s; %d records, want those of the new question alone", code, body, len(p.book.records))
	}
}

func TestACheckOfAzureIsKnownAfterARestartToItsSender(t *testing.T) {
	d := newDevOps(t)
	g := newGated(t, Config{Azure: AzureConfig{Organizations: []string{d.url}}})
	g.sender = "mallory" // whose token is good for hooks, and who guesses the ids of a job
	if code, body := g.check(d.url, `{"service":"harmless"}`, "AuthToken", "none"); code != 200 {
		t.Fatal(code, body)
	}
	g.sender = "azure"
	if code, body := g.check(d.url, azAsk); code != 200 || len(g.book.effects) != 2 {
		t.Errorf("after another sender's the check is answered %d %s; %d wait", code, body, len(g.book.effects))
	}
	g.start()
	if code, _ := g.check(d.url, `{"service":"other"}`); code != 409 || len(g.book.effects) != 2 {
		t.Errorf("altered after a restart it is answered %d", code)
	}
	if code, _ := g.check(d.url, azAsk); code != 200 || len(g.book.effects) != 2 || len(g.book.records) != 2 {
		t.Errorf("asked again in the same words after a restart: %d, %d wait, %d records", code, len(g.book.effects), len(g.book.records))
	}
}

func TestAQuestionThatTheJournalRefusedMayBePutAgain(t *testing.T) {
	p := newProtected(t)
	p.book.fail = ops.Errorf(ops.Unavailable, "the disk is full")
	if code, body := p.deliver(p.requested(), "d-1"); code != 503 || len(p.book.records) != 0 {
		t.Errorf("%d %s", code, body)
	}
	p.book.fail = nil
	if code, body := p.deliver(p.requested(), "d-1"); code != 200 || len(p.book.records) != 2 {
		t.Errorf("redelivered: %d %s", code, body)
	}
}

func TestTheMemoryOfQuestionsIsBoundedOnDiskToo(t *testing.T) {
	q := newQuestions(40)
	disk := map[string]bool{}
	for i := range 1000 {
		m, before := q.take(asked{"azure", "hash", ops.At(start.Add(time.Duration(i+1) * time.Minute))}, start, fmt.Sprint("id-", i))
		if before != unheard {
			t.Fatalf("question %d is known", i)
		}
		for _, r := range m.Put {
			disk[r.ID] = true
		}
		for _, r := range m.Delete {
			delete(disk, r.ID)
		}
		if len(q.known) > 40 || len(disk) != len(q.known) {
			t.Fatalf("after %d: %d are known, %d on disk", i, len(q.known), len(disk))
		}
	}
	if _, before := q.take(asked{Body: "hash"}, start, "id-999"); before != again {
		t.Error("the one that ends last was forgotten")
	}
}

func TestARecordThatCannotBeReadStopsTheStart(t *testing.T) {
	r := newRoom(time.Now)
	b := &book{records: map[string]ops.Record{"x": {Kind: kindAsked, ID: "x", Body: []byte("no JSON")}}}
	_, err := New(t.Context(), Options{Alerts: r, Changes: r, Who: func(*http.Request) ops.Principal { return ops.System }, Gate: &doorman{}, Journal: b, Catalog: func() *ops.Catalog { return nil }})
	if err == nil || !strings.Contains(err.Error(), kindAsked) {
		t.Errorf("%v", err)
	}
}
