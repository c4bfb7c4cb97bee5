package changes_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"goc/changes"
	"goc/ops"
)

func TestApprovals(t *testing.T) {
	two := changes.Config{
		Approvals: map[string]changes.ApprovalRule{"medium": {Need: 2, From: []string{"dba", "Sun", "admin"}}},
		Groups:    map[string][]string{"dba": {"Zhao", "Qian"}},
	}
	as := func(name string, role ops.Role) ops.Principal { return ops.Principal{Name: name, Role: role} }
	tests := []struct {
		name string
		by   []ops.Principal
		want string
		says string
	}{
		{"nobody", nil, "wait: approval wait", "0 of 2 approvals; someone other than Wang of dba, Sun, admin must approve"},
		{"one of the group", []ops.Principal{as("Zhao", ops.Commander)}, "wait: approval wait", "1 of 2"},
		{"two of the group", []ops.Principal{as("Zhao", ops.Commander), as("Qian", ops.Commander)}, "allow: approval allow", "Zhao, Qian"},
		{"the group and a name", []ops.Principal{as("Zhao", ops.Commander), as("Sun", ops.Commander)}, "allow: approval allow", ""},
		{"the group and a role", []ops.Principal{as("Zhao", ops.Commander), as("root", ops.Admin)}, "allow: approval allow", ""},
		{"one who does not count", []ops.Principal{as("Zhao", ops.Commander), as("Li", ops.Commander)}, "wait: approval wait", "not counted: Li is not of those who count"},
		{"the same one twice", []ops.Principal{as("Zhao", ops.Commander), as("zhao ", ops.Commander)}, "wait: approval wait", "1 of 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, two)
			c := r.record(ci, release("pay"))
			for _, who := range tt.by {
				r.at = r.at.Add(time.Second)
				if _, err := r.Approve(context.Background(), who, ops.Approval{ChangeID: c.ID}); err != nil {
					t.Fatal(err)
				}
			}
			r.reopen()
			scenario{want: tt.want, says: []string{tt.says}}.judge(t, r.check(ci, ops.GateRequest{ChangeID: c.ID}))
		})
	}
}

func TestNobodyApprovesTheirOwnNotEvenInAnothersName(t *testing.T) {
	r := open(t, changes.Config{})
	c := release("pay")
	c.Author = "root"
	c = r.record(ci, c)
	for _, a := range []struct{ who, person string }{{"root", ""}, {"ROOT", ""}, {"root", "Li"}, {"ci-1", "Li"}, {" root", ""}} {
		_, err := r.Approve(context.Background(), ops.Principal{Name: a.who, Role: ops.Admin}, ops.Approval{ChangeID: c.ID, Person: a.person})
		refused(t, err, ops.Denied, "own change")
	}
}

func TestAnApprovalIsOfOneVersionAndOfItsStages(t *testing.T) {
	r := open(t, changes.Config{Approvals: map[string]changes.ApprovalRule{"medium": {Need: 1}}})
	c := r.record(ci, staged())
	_, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Version: "9"})
	refused(t, err, ops.Conflict, "another version")
	_, err = r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{4}})
	refused(t, err, ops.Invalid, "no such stage")
	if a, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{1}}); err != nil || a.Version != "1.2.3" {
		t.Fatal(a, err)
	}
	for stage, want := range map[int]string{1: "approval allow", 2: "approval wait"} {
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: stage}); !strings.Contains(told(d), want) {
			t.Errorf("stage %d: %s", stage, told(d))
		}
	}
	if _, err := r.Approve(context.Background(), commander, ops.Approval{ChangeID: c.ID, Stages: []int{2}}); err != nil {
		t.Fatal(err)
	}
	for stage, want := range map[int]string{1: "approval allow", 2: "approval allow", 3: "approval wait"} {
		if d := r.check(ci, ops.GateRequest{ChangeID: c.ID, Stage: stage}); !strings.Contains(told(d), want) {
			t.Errorf("stage %d: %s", stage, told(d))
		}
	}
	_, err = r.Check(context.Background(), ci, ops.GateRequest{Change: &ops.Change{ID: c.ID, Kind: ops.KindRelease, Service: "pay", Version: "1.2.4"}})
	refused(t, err, ops.Conflict, "another version")
}

func TestOnePersonInTwoSpellingsIsOneAlsoAfterARestart(t *testing.T) {
	two := changes.Config{Approvals: map[string]changes.ApprovalRule{"medium": {Need: 2}}}
	zhao, also := ops.Principal{Name: "Zhao", Role: ops.Commander}, ops.Principal{Name: "zhao ", Role: ops.Commander}
	waits := func(t *testing.T, r *room, change string) {
		t.Helper()
		r.reopen()
		scenario{want: "wait: approval wait", says: []string{"1 of 2"}}.judge(t, r.check(ci, ops.GateRequest{ChangeID: change, Stage: 1}))
	}
	t.Run("who approves one stage after another", func(t *testing.T) {
		r := open(t, two)
		c := r.record(ci, staged())
		for stage, who := range []ops.Principal{zhao, also} {
			a, err := r.Approve(t.Context(), who, ops.Approval{ChangeID: c.ID, Stages: []int{stage + 1}})
			if err != nil || a.Person != "Zhao" {
				t.Fatalf("%q approved, %v", a.Person, err)
			}
			r.reopen()
		}
		waits(t, r, c.ID)
		rows := 0
		if err := r.journal.Load(t.Context(), "approval", func(ops.Record) error { rows++; return nil }); err != nil || rows != 1 {
			t.Errorf("%d approvals are on record, %v; want 1", rows, err)
		}
	})
	t.Run("who is on record in both", func(t *testing.T) {
		r := open(t, two)
		c := r.record(ci, staged())
		for _, who := range []ops.Principal{zhao, also} {
			a := ops.Approval{ChangeID: c.ID, Version: c.Version, Person: who.Name, Role: who.Role, Stages: []int{1, 2, 3}, At: ops.At(r.at)}
			if _, err := r.journal.Append(ops.Mutation{Put: []ops.Record{ops.Encode("approval", c.ID+"/"+who.Name, a)}}).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		waits(t, r, c.ID)
	})
}
