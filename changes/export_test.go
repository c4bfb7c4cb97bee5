package changes

import (
	"context"
	"time"
)

// Tick does what the loop does once a second.
func (s *Service) Tick(ctx context.Context, now time.Time) error { return s.tick(ctx, now) }
