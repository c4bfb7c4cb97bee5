package ops

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holiday is a day, or several in a row, on which stores keep other hours. It is for the stores that are named on every
// key that it names; of several that fit a store on one day the last counts.
type Holiday struct {
	Date   string   `json:"date" yaml:"date"`                 // 2026-10-01
	To     string   `json:"to,omitempty" yaml:"to,omitempty"` // the last day; empty for one day
	Name   string   `json:"name,omitempty" yaml:"name,omitempty"`
	Hours  string   `json:"hours" yaml:"hours"` // closed, 10:00-16:00, 24/7
	Region []string `json:"region,omitempty" yaml:"region,omitempty"`
	City   []string `json:"city,omitempty" yaml:"city,omitempty"`
	Store  []string `json:"store,omitempty" yaml:"store,omitempty"`
}

// Bounds of holidays.
const (
	MaxHolidays    = 1_000
	maxHolidayDays = 31
)

// holiday is a Holiday as it has been read.
type holiday struct {
	*Holiday
	first date
	days  int
	spans []span
}

func (h *Holiday) parse() (holiday, error) {
	out := holiday{Holiday: h, days: 1}
	first, err := time.Parse(time.DateOnly, h.Date)
	if err != nil {
		return out, Errorf(Invalid, "must be a date like 2026-10-01").At("date")
	}
	if h.To != "" {
		last, err := time.Parse(time.DateOnly, h.To)
		if out.days = int(last.Sub(first)/(24*time.Hour)) + 1; err != nil || out.days < 1 || out.days > maxHolidayDays {
			return out, Errorf(Invalid, "must be the last day, like 2026-10-07, at most %d days in all", maxHolidayDays).At("to")
		}
	}
	spans, ok := parseTimes(h.Hours)
	if !ok || len(h.Hours) > maxHours {
		return out, Errorf(Invalid, "must be closed, 24/7, or times like 10:00-16:00").At("hours")
	}
	out.first, out.spans = dateOf(first), spans
	return out, nil
}

// within says where in the catalog the place is that an error names.
func within(err error, place string) error {
	var e *Error
	if errors.As(err, &e) {
		return e.At(place + "." + e.Location)
	}
	return err
}

func named(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// indexHours reads the hours of every store with its holidays. Stores that keep the same share one Hours.
func (c *Catalog) indexHours() error {
	if len(c.Holidays) > MaxHolidays {
		return Errorf(Invalid, "at most %d", MaxHolidays).At("catalog.holidays")
	}
	days := make([]holiday, len(c.Holidays))
	for i := range c.Holidays {
		h, err := c.Holidays[i].parse()
		if err != nil {
			return within(err, fmt.Sprintf("catalog.holidays[%d]", i))
		}
		days[i] = h
	}
	c.hours = make(map[string]*Hours, len(c.Stores))
	places := map[[2]string][]int{} // holidays by region and city
	same := map[string]*Hours{}
	for i := range c.Stores {
		st := &c.Stores[i]
		fits, ok := places[[2]string{st.Region, st.City}]
		if !ok {
			for n := range days {
				if named(days[n].Region, st.Region) && named(days[n].City, st.City) {
					fits = append(fits, n)
				}
			}
			places[[2]string{st.Region, st.City}] = fits
		}
		h, err := st.hoursWith(days, fits, same)
		if err != nil {
			return within(err, fmt.Sprintf("catalog.stores[%d]", i))
		}
		if h != nil {
			c.hours[st.ID] = h
		}
	}
	return nil
}

// hoursWith reads the hours of a store with those of the holidays that fit its place, unless they are among same.
func (s *Store) hoursWith(days []holiday, fits []int, same map[string]*Hours) (*Hours, error) {
	if s.Hours == "" && s.Timezone == "" && len(fits) == 0 {
		return nil, nil
	}
	key := strings.Builder{}
	fmt.Fprintf(&key, "%s\x00%s", s.Hours, s.Timezone)
	var mine []int
	for _, n := range fits {
		if named(days[n].Store, s.ID) {
			mine = append(mine, n)
			fmt.Fprintf(&key, "\x00%d", n)
		}
	}
	if h, ok := same[key.String()]; ok {
		return h, nil
	}
	h, err := parseHours(s.Hours, s.Timezone)
	if err != nil {
		return nil, err
	}
	for _, n := range mine {
		for k := range days[n].days {
			if h.days == nil {
				h.days = map[date][]span{}
			}
			h.days[days[n].first.add(k)] = days[n].spans
		}
	}
	if h.always() {
		h = nil
	}
	same[key.String()] = h
	return h, nil
}

// Hours are when a store is open, with its holidays; nil, always open, for one that the catalog does not list.
func (c *Catalog) Hours(store string) *Hours { return c.hours[store] }
