package server

import (
	"runtime"
	"runtime/debug"
)

// Version is what this program was built from. The Makefile sets it through
// the linker; a program built by `go install` learns it from its module.
var Version = ""

// Build describes this program in one line's worth of words.
type Build struct {
	Version  string // "1.2.3", or "devel"
	Revision string // the commit, if the build knew it
	Go       string // "go1.26.8 linux/amd64"
}

// ReadBuild gathers what the linker and the runtime know.
func ReadBuild() Build {
	b := Build{Version: Version, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	modified := ""
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			if setting.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if b.Revision != "" {
		b.Revision += modified
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// String is "groupcast 1.2.3 (commit), go1.26.8 linux/amd64".
func (b Build) String() string {
	revision := ""
	if b.Revision != "" {
		revision = " (" + b.Revision + ")"
	}
	return "groupcast " + b.Version + revision + ", " + b.Go
}
