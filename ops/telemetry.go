package ops

import "time"

// Telemetry says which readings of a kind of device have limits. A reading that it names is kept with its history even
// when its limit is empty; temperature, paper and queue are kept for every device that sends them.
type Telemetry struct {
	Battery     *Limit `json:"battery,omitempty" yaml:"battery,omitempty"`         // 0 to 1
	Temperature *Limit `json:"temperature,omitempty" yaml:"temperature,omitempty"` // °C
	Paper       *Limit `json:"paper,omitempty" yaml:"paper,omitempty"`             // what a printer has left, 0 to 1
	Queue       *Limit `json:"queue,omitempty" yaml:"queue,omitempty"`             // people or jobs that wait
}

// Limit is where a reading is no longer well: below Low or above High, for at least For. It is well again once it has
// come Clear inside of the limit, so that one that sways about it is one fact and not many.
type Limit struct {
	Low   *float64 `json:"low,omitempty" yaml:"low,omitempty"`
	High  *float64 `json:"high,omitempty" yaml:"high,omitempty"`
	Clear *float64 `json:"clear,omitempty" yaml:"clear,omitempty"` // nil: the reading's Clear
	For   Duration `json:"for,omitempty" yaml:"for,omitempty"`
}

// Readings are what devices tell beyond that they are alive, with their bounds, and how far inside of a limit they must
// come to be well again where the catalog does not say.
func Readings() []ReadingKind {
	return []ReadingKind{
		{Name: "battery", Min: 0, Max: 1, Clear: 0.05},
		{Name: "temperature", Min: -100, Max: 300, Clear: 2},
		{Name: "paper", Min: 0, Max: 1, Clear: 0.05},
		{Name: "queue", Min: 0, Max: 10_000, Clear: 2},
	}
}

// ReadingKind is one of the readings that a heartbeat may carry.
type ReadingKind struct {
	Name            string
	Min, Max, Clear float64
}

// Limits are the limits of t in the order of Readings; nil where it names none. A nil t has none.
func (t *Telemetry) Limits() []*Limit {
	if t == nil {
		return make([]*Limit, len(Readings()))
	}
	return []*Limit{t.Battery, t.Temperature, t.Paper, t.Queue}
}

// validate says which limit of a kind cannot be kept.
func (k *DeviceKind) validate() error {
	for i, l := range k.Telemetry.Limits() {
		if l == nil {
			continue
		}
		if err := l.validate(Readings()[i]); err != nil {
			return err.At("catalog.device_kinds." + k.Name + ".telemetry." + Readings()[i].Name)
		}
	}
	return nil
}

func (l *Limit) validate(r ReadingKind) *Error {
	for _, v := range []*float64{l.Low, l.High} {
		if v != nil && !(*v >= r.Min && *v <= r.Max) {
			return Errorf(Invalid, "low and high must be between %g and %g", r.Min, r.Max)
		}
	}
	if l.Clear != nil && !(*l.Clear >= 0 && *l.Clear <= r.Max-r.Min) {
		return Errorf(Invalid, "clear must be between 0 and %g", r.Max-r.Min)
	}
	if l.For < 0 || time.Duration(l.For) > 24*time.Hour {
		return Errorf(Invalid, "for must be between 0 and 24h")
	}
	low, high := l.Back(r)
	if l.Low != nil && l.High != nil && low > high {
		return Errorf(Invalid, "nothing lies inside of both limits: clear counts from low and from high, to %g and %g", low, high)
	}
	return nil
}

// Back is where a reading that was beyond its limit is well again: at or above low and at or below high. Without a
// limit on a side, and where Clear would lie beyond what the reading can be, it is the bound of the reading.
func (l *Limit) Back(r ReadingKind) (low, high float64) {
	margin := r.Clear
	if l.Clear != nil {
		margin = *l.Clear
	}
	low, high = r.Min, r.Max
	if l.Low != nil {
		low = min(*l.Low+margin, r.Max)
	}
	if l.High != nil {
		high = max(*l.High-margin, r.Min)
	}
	return low, high
}

// Reading is one reading of a device: the last value, the limits of its kind, and a short history.
type Reading struct {
	Name    string         `json:"name"`
	Value   float64        `json:"value"`
	At      Time           `json:"at"`
	Low     *float64       `json:"low,omitempty"`
	High    *float64       `json:"high,omitempty"`
	Beyond  bool           `json:"beyond"`            // it makes the device degraded
	History []ReadingPoint `json:"history,omitempty"` // at most 16, a minute apart or more, oldest first
}

// ReadingPoint is what a reading was.
type ReadingPoint struct {
	At    Time    `json:"at"`
	Value float64 `json:"value"`
}
