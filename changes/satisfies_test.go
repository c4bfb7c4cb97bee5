package changes_test

import (
	"context"
	"time"

	"goc/changes"
	"goc/ops"
)

// What the API needs of this room, as web.Changes says it; the rooms do not import one another, not even in tests.
var _ interface {
	List(ctx context.Context, q ops.ChangeQuery) (ops.List[ops.Change], error)
	Get(ctx context.Context, id string) (ops.Change, error)
	Record(ctx context.Context, who ops.Principal, c ops.Change) (ops.Change, error)
	Event(ctx context.Context, who ops.Principal, id string, e ops.ChangeEvent) (ops.Change, error)
	Matrix(ctx context.Context, id string) (ops.RolloutMatrix, error)
	Overrides(ctx context.Context, open bool) ([]ops.Override, error)
	ReviewOverride(ctx context.Context, who ops.Principal, id string, r ops.OverrideReview) (ops.Override, error)
	Hygiene(ctx context.Context) (ops.GateHygiene, error)
	Check(ctx context.Context, who ops.Principal, r ops.GateRequest) (ops.Decision, error)
	Approve(ctx context.Context, who ops.Principal, a ops.Approval) (ops.Approval, error)
	Override(ctx context.Context, who ops.Principal, o ops.Override) (ops.Override, error)
	Freezes(ctx context.Context) ([]ops.Freeze, error)
	AddFreeze(ctx context.Context, who ops.Principal, f ops.Freeze) (ops.Freeze, error)
	LiftFreeze(ctx context.Context, who ops.Principal, id string) error
	Calendar(ctx context.Context, from, to time.Time) ([]ops.FreezeSpan, error)
	ImportFreezes(ctx context.Context, who ops.Principal, i ops.FreezeImport) (ops.FreezeImported, error)
	Evidence(ctx context.Context, who ops.Principal, id string, reviews map[string]string) (ops.Change, error)
	Maintenance(ctx context.Context) (ops.GateMaintenance, error)
	Maintain(ctx context.Context, who ops.Principal, m ops.GateMaintenance) (ops.GateMaintenance, error)
	DryRunPolicy(ctx context.Context, t ops.PolicyTrial) (ops.PolicyDryRun, error)
} = (*changes.Service)(nil)
