package settings

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Flags are what a command line gives, by the flags' names, each with its values in
// their order. A flag without a value has none. Names may be unknown.
type Flags map[string][]string

// Given is one setting as it was given in one place.
type Given struct {
	Values []string
	Origin string // "" where the flag says it all
}

// Read makes options of a command line, an environment (as of os.Environ) and the
// file that one of them names. A flag beats the environment, the environment beats
// the file, the file beats the default: what is beaten is not looked at, because a
// container's environment must be able to correct a file that was baked into its
// image. The error joins all that is wrong, each mistake once.
func Read(flags Flags, environ []string) (Options, error) {
	r := newReading()
	r.add(fromFlags(flags))
	r.add(fromEnviron(environ))
	config := Find("config")
	r.put(config)
	if path := r.options.ConfigFile; path != "" {
		inFile, errs := readFile(path, r.given[config.Name].Origin)
		r.partly = inFile == nil
		r.add(inFile, errs)
	}
	for _, s := range all {
		if s != config {
			r.put(s)
		}
	}
	return r.options, errors.Join(append(r.errs, r.check()...)...)
}

// reading is what Read knows so far.
type reading struct {
	options Options
	given   map[string]Given
	errs    []error
	broken  map[string]bool // settings that are wrong, and have been told of
	meant   map[string]bool // settings that were probably meant by unknown names
	partly  bool            // the file could not be read
}

func newReading() *reading {
	return &reading{
		options: Defaults(), given: make(map[string]Given), broken: make(map[string]bool), meant: make(map[string]bool),
	}
}

// add takes what was given in one place, and what was wrong there, unless a place
// before it has a say.
func (r *reading) add(given map[string]Given, errs []error) {
	for _, err := range errs {
		if e, ok := errors.AsType[*ValueError](err); ok {
			if _, beaten := r.given[e.Setting]; !beaten {
				r.broken[e.Setting] = true
			}
		}
		if e, ok := errors.AsType[*UnknownError](err); ok {
			r.meant[e.setting] = true
		}
	}
	for name, one := range given {
		if _, beaten := r.given[name]; !beaten && !r.broken[name] {
			r.given[name] = one
		}
	}
	r.errs = append(r.errs, errs...)
}

// put reads what was given into the options.
func (r *reading) put(s *Setting) {
	given, ok := r.given[s.Name]
	if !ok {
		return
	}
	w := &wrong{wants: "a value"}
	if given.Values != nil {
		w = s.read(&r.options, given.Values)
	}
	if w != nil {
		r.errs, r.broken[s.Name] = append(r.errs, w.of(s, given.Origin)), true
	}
}

func fromFlags(flags Flags) (given map[string]Given, errs []error) {
	given = make(map[string]Given)
	for name, values := range flags {
		s := Find(name)
		switch {
		case s == nil:
			errs = append(errs, unknown("flag", name, "", Flag))
		case s.list:
			given[name] = Given{Values: splitList(values)}
		case len(values) == 0:
			given[name] = Given{Values: s.bare}
		default:
			given[name] = Given{Values: values[len(values)-1:]} // the last one counts
		}
	}
	slices.SortFunc(errs, byText)
	return given, errs
}

// splitList takes lists apart that are written in one text, as a variable's is.
func splitList(texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, strings.Split(text, ",")...)
	}
	return all
}

// internalPrefix is that of variables by which the program talks to itself.
const internalPrefix = variablePrefix + "INTERNAL_"

// fromEnviron reads the variables with the program's prefix. One that no setting
// has is an error, as is an empty one: a limit that is misspelt and therefore not
// in force is worse than a server that does not start.
func fromEnviron(environ []string) (given map[string]Given, errs []error) {
	given = make(map[string]Given)
	for _, pair := range environ {
		variable, text, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(variable, variablePrefix) || strings.HasPrefix(variable, internalPrefix) {
			continue
		}
		i := slices.IndexFunc(all, func(s *Setting) bool { return Variable(s.Name) == variable })
		switch {
		case i < 0 && serviceLink(variable, text):
		case i < 0:
			name := strings.TrimPrefix(variable, variablePrefix)
			errs = append(errs, unknown("variable", name, "", Variable))
		case text == "":
			errs = append(errs, (&wrong{"a value, or the variable not set", `""`}).of(all[i], variable))
		case all[i].list:
			given[all[i].Name] = Given{splitList([]string{text}), variable}
		default:
			given[all[i].Name] = Given{[]string{text}, variable}
		}
	}
	slices.SortFunc(errs, byText)
	return given, errs
}

// serviceLink reports whether Kubernetes, or Docker, has made the variable for a
// service called groupcast, or groupcast-something. GROUPCAST_PORT alone may also be
// an operator's guess at a setting: theirs is a URL.
func serviceLink(variable, text string) bool {
	parts := strings.Split(strings.TrimPrefix(variable, variablePrefix), "_")
	last := len(parts) - 1
	if parts[last] == "PORT" && strings.Contains(text, "://") {
		return true
	}
	for i, part := range parts {
		next := ""
		if i < last {
			next = parts[i+1]
		}
		switch {
		case part == "SERVICE" && (next == "HOST" && i+1 == last || next == "PORT"):
			return true
		case part == "PORT" && next != "" && strings.Trim(next, "0123456789") == "":
			return true
		}
	}
	return false
}

// readFile reads the file that was named at origin; nil if nothing of it could be read.
func readFile(path, origin string) (map[string]Given, []error) {
	fail := func(err error) (map[string]Given, []error) {
		text := Flag("config")
		if origin != "" {
			text += " (" + origin + ")"
		}
		return nil, []error{fmt.Errorf("%s: %w", text, err)}
	}
	file, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	given, errs := fromFile(path, file)
	return given, errs
}

// unknown is the error of a name that no setting has; write makes it what was typed.
func unknown(kind, name, origin string, write func(string) string) *UnknownError {
	e := &UnknownError{Kind: kind, Name: write(name), Origin: origin, setting: nearest(name)}
	if e.setting != "" {
		e.Meant = write(e.setting)
	}
	return e
}

func byText(a, b error) int { return strings.Compare(a.Error(), b.Error()) }
