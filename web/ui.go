package web

import (
	"embed"
	"io/fs"
)

// The bundle that web/ui builds. Without all: files that begin with _ would be left out in silence.
//
//go:embed all:ui/dist
var bundle embed.FS

// UI is the browser's bundle as it was built into the program.
func UI() fs.FS {
	sub, err := fs.Sub(bundle, "ui/dist")
	if err != nil {
		panic("web: the bundle has no ui/dist: " + err.Error())
	}
	return sub
}
