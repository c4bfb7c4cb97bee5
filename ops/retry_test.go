package ops_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"goc/ops"
)

func TestRetryMarksSurviveWrapping(t *testing.T) {
	cause := errors.New("429")
	permanent := fmt.Errorf("slack: %w", ops.Permanent(cause))
	if !ops.IsPermanent(permanent) || ops.IsPermanent(cause) || !errors.Is(permanent, cause) || permanent.Error() != "slack: 429" {
		t.Errorf("%v", permanent)
	}
	later := fmt.Errorf("slack: %w", ops.RetryAfter(time.Minute, cause))
	if d, ok := ops.RetryDelay(later); !ok || d != time.Minute || !errors.Is(later, cause) {
		t.Errorf("%v after %s", later, d)
	}
	if _, ok := ops.RetryDelay(cause); ok || ops.Permanent(nil) != nil || ops.RetryAfter(time.Minute, nil) != nil {
		t.Error("what was not marked must not look so")
	}
}
