package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestAFileOfDevicesIsReadRowByRow(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"all columns":                   {"store,device,kind,model,firmware\nSH-001,pos-01,pos,X1,4.2\n", "2:{SH-001 pos-01 pos X1 4.2}"},
		"in another order and spelling": {"\xef\xbb\xbf Device ,STORE\npos-01,SH-001\npos-02,SH-001", "2:{SH-001 pos-01   } 3:{SH-001 pos-02   }"},
		"quoted, over two lines":        {"store,device\n\"SH,1\",\"a\"\n\"x\ny\",b\nz,c\n", "2:{SH,1 a   } 3:{x\ny b   } 5:{z c   }"},
		"with a row of another length":  {"store,device\na,b,c\na\nx,y\n", "2:it has 3 columns, not 2 3:it has 1 columns, not 2 4:{x y   }"},
		"with a device twice":           {"store,device\na,b\na,c\na,b\n", "2:{a b   } 3:{a c   } 4:the device stands on line 2 already"},
		"with a stray quote":            {"store,device\na,b\"c\nx,y\n", `2:bare " in non-quoted-field 3:{x y   }`},
		"nothing but a header":          {"store,device\n", ""},
		"nothing":                       {"", "the file is empty; its first line must name the columns"},
		"a column that is none":         {"store,device,colour\n", `there is no column "colour"; the columns are store, device, kind, model, firmware`},
		"a column twice":                {"store,device,Store\n", "the column store stands there twice"},
		"no device":                     {"store,kind\n", "the header must have the columns store and device"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readRows(c.text); got != c.want {
				t.Errorf("%s\nexpected\n%s", got, c.want)
			}
		})
	}
}

// readRows reads a file and writes what came of each row, with its line.
func readRows(text string) string {
	rows, err := newDeviceRows(strings.NewReader(text))
	if err != nil {
		return err.Error()
	}
	var out []string
	for {
		row, line, err := rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(out, " ")
		case err != nil:
			out = append(out, fmt.Sprintf("%d:%v", line, err))
		default:
			out = append(out, fmt.Sprintf("%d:%v", line, row))
		}
	}
}

func FuzzDeviceRows(f *testing.F) {
	for _, text := range []string{"store,device\na,b\n", "\xef\xbb\xbfdevice,store\n\"x\ny\",b\n", "store,device\n\"a", "store,device\r\na,b,c\r\n", ",\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := newDeviceRows(strings.NewReader(text))
		if err != nil {
			return
		}
		seen := map[[2]string]bool{}
		for n := 0; ; n++ {
			row, line, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if n > len(text) || line <= 1 {
				t.Fatalf("row %d on line %d: %v", n, line, err)
			}
			if id := [2]string{row.Store, row.Device}; err == nil && seen[id] {
				t.Fatalf("%q twice", id)
			} else if err == nil {
				seen[id] = true
			}
		}
	})
}
