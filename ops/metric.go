package ops

import (
	"context"
	"time"
)

// Point is one value of a PromQL answer, with its labels.
type Point struct {
	Labels map[string]string
	At     time.Time
	Value  float64
}

// Curve is one series of a PromQL range answer; Times and Values have the same length, times ascend.
type Curve struct {
	Labels map[string]string
	Times  []time.Time
	Values []float64
}

// Querier answers PromQL. An expression that does not parse is Invalid, a store that does not answer Unavailable.
type Querier interface {
	Query(ctx context.Context, expr string, at time.Time) ([]Point, error)
	QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Curve, error)
}
