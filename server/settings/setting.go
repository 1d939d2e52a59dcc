package settings

import (
	"slices"
	"strings"
)

// Setting is one row of the table: all that is known of a setting. The command
// line, the variables, the configuration file, --help, the reference, the checks and
// a reload are made from it.
type Setting struct {
	value

	Name   string // "max-message": the flag, the file's key, and in capitals the variable
	Shown  Shown
	Reload Reload
	Preset string // its default as it is typed, where no package below has one
	Help   string // sentences; its default and its bounds stand behind it

	Secret bool // its value is shown nowhere
	NoKey  bool // it is not for the configuration file
}

// Group is a heading and the settings under it.
type Group struct {
	Key, Title string
	Settings   []Setting
}

// Shown is which of two helps lists a setting.
type Shown int

// The usual ones are in --help, all of them in --help-all.
const (
	Rare Shown = iota
	Usual
)

// Reload is what a reload may do with a setting.
type Reload struct {
	When When
	Why  string // it needs a restart
	// Switch is why the value cannot change from 0 or to 0, although it can change otherwise.
	Switch string
}

// When is from when on another value is in force.
type When int

// What a reload may change.
const (
	Restart When = iota // nothing
	AtOnce              // what is there, and what comes
	ForNew              // what comes; what is there may stay
)

func (r Reload) String() string {
	switch {
	case r == keyed:
		return "for new ones; between none and some: restart"
	case r.Switch != "":
		return "for new ones; between 0 and a limit: restart"
	case r.When == AtOnce:
		return "at once"
	case r.When == ForNew:
		return "for new ones"
	}
	return "restart"
}

// All are the settings of all groups, in the table's order.
func All() []*Setting { return all }

// Find is the setting of that name, nil if there is none.
func Find(name string) *Setting { return byName[name] }

var (
	all    = list()
	byName = index()
)

func list() (all []*Setting) {
	for _, g := range Groups {
		for i := range g.Settings {
			all = append(all, &g.Settings[i])
		}
	}
	return all
}

func index() map[string]*Setting {
	names := make(map[string]*Setting)
	for _, s := range all {
		names[s.Name] = s
	}
	return names
}

// Hint is what stands for its value: SIZE.
func (s *Setting) Hint() string {
	if s.list {
		return s.hint + ",..."
	}
	return s.hint
}

// List reports whether it may be given several times.
func (s *Setting) List() bool { return s.list }

// Switch reports whether its flag may stand alone, without a value.
func (s *Setting) Switch() bool { return s.bare != nil }

// Bounds are what its value may be, "" where its help says it.
func (s *Setting) Bounds() string { return s.bounds }

// Default is its default as it is typed, "" for none.
func (s *Setting) Default() string {
	o := Defaults()
	return strings.Join(s.write(&o), ",")
}

// Text is its value in o as it is typed. A secret is not shown, and neither is one in
// an address.
func (s *Setting) Text(o Options) string {
	values := s.write(&o)
	if s.shown != nil {
		for i, one := range values {
			values[i] = s.shown(one)
		}
	}
	text := strings.Join(values, ",")
	if s.Secret && text != "" {
		return Hidden
	}
	return text
}

// Same reports whether a and b have the same value.
func (s *Setting) Same(a, b Options) bool { return slices.Equal(s.write(&a), s.write(&b)) }

// Copy puts the value that it has in from into to.
func (s *Setting) Copy(to, from *Options) { s.copy(to, from) }

// off reports whether o has no limit, or no file or address, here.
func (s *Setting) off(o Options) bool {
	text := s.Text(o)
	return text == "0" || s.list && text == ""
}

// Fixed says why a reload cannot put the value of next in force where that of old
// is; "" if it can, or if it is the same.
func (s *Setting) Fixed(old, next Options) string {
	switch {
	case s.Same(old, next):
		return ""
	case s.Reload.When == Restart:
		return s.Reload.Why
	case s.off(old) || s.off(next):
		return s.Reload.Switch
	}
	return ""
}
