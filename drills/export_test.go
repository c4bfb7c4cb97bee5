package drills

import "context"

// drivers remembers the driver of each service that Step drives, as Run's loop does.
var drivers = map[*Service]*driver{}

// Step does what is due now, as one turn of Run.
func Step(ctx context.Context, s *Service) error {
	d := drivers[s]
	if d == nil {
		d = newDriver(s)
		drivers[s] = d
	}
	return d.step(ctx)
}

// Score scores three legs; a negative number of seconds was not reached.
func Score(seconds ...float64) int {
	of := newLegs()
	for i, s := range seconds {
		if s >= 0 {
			of[i].Seconds = &seconds[i]
		}
	}
	return score(of)
}

// ChangeIn reads an injection's answer.
func ChangeIn(answer string) string { return changeIn(answer) }
