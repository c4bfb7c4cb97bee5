package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestARefusedReloadIsTakenBackWhereItWasTakenAndNowhereElse has the rooms say what they are handed.
func TestARefusedReloadIsTakenBackWhereItWasTakenAndNowhereElse(t *testing.T) {
	for _, c := range []struct {
		name          string
		refuses, will int // the room that refuses the new configuration, and the one that will not have the old one back; 0 for none
		handed        string
		err, lost     string
	}{
		{"nobody refuses", 0, 0, "new1 new2 new3 new4", "", ""},
		{"the first refuses", 1, 0, "new1", "room 1 refuses", ""},
		{"the third refuses", 3, 0, "new1 new2 new3 old2 old1", "room 3 refuses", ""},
		{"one does not have the old one back", 3, 2, "new1 new2 new3 old2 old1", "room 3 refuses", "room 2 refuses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var handed []string
			rooms := func(word string, refuses int) (out []func() error) {
				for n := 1; n <= 4; n++ {
					out = append(out, func() error {
						handed = append(handed, fmt.Sprint(word, n))
						if n == refuses {
							return errors.New(fmt.Sprint("room ", n, " refuses"))
						}
						return nil
					})
				}
				return out
			}
			err, lost := switchOver(rooms("new", c.refuses), rooms("old", c.will))
			if got := strings.Join(handed, " "); got != c.handed {
				t.Errorf("handed %s, want %s", got, c.handed)
			}
			if text(err) != c.err || text(lost) != c.lost {
				t.Errorf("err %v, lost %v", err, lost)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
