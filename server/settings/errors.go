package settings

import (
	"errors"
	"fmt"
	"strings"
)

// ValueError is a value that a setting cannot have. It is put into words here and
// nowhere else, and nobody reads the words.
type ValueError struct {
	Setting string // its name, "max-message"
	Origin  string // where the value was given, if not by the flag: a variable, a file's line
	Wants   string
	Got     string // as it was given; of a secret, not the value. "" where the value is the setting's absence
}

func (e *ValueError) Error() string {
	text := Flag(e.Setting)
	if e.Origin != "" {
		text += " (" + e.Origin + ")"
	}
	text += ": wants " + e.Wants
	if e.Got != "" {
		text += ", got " + e.Got
	}
	return text
}

// UnknownError is a name that no setting has.
type UnknownError struct {
	Kind   string // "flag", "variable", "key"
	Name   string // as it was given
	Origin string // a file's line; "" where the name says it
	Meant  string // the nearest name of the kind; "" if none is near

	setting string // whose name is meant
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("unknown %s %s", e.Kind, e.Name)
	if e.Origin != "" {
		text = e.Origin + ": " + text
	}
	if e.Meant != "" {
		text += ", did you mean " + e.Meant + "?"
	}
	return text
}

// Flag is the setting's name on a command line.
func Flag(name string) string { return "--" + name }

// Variable is its name in the environment.
func Variable(name string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

const variablePrefix = "GROUPCAST_"

// Split is what err was joined from.
func Split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, Split(one)...)
	}
	return all
}

// Hidden stands for the value of a secret.
const Hidden = "(secret)"

// wrong is a ValueError before anybody has said of which setting.
type wrong struct{ wants, got string }

func (w *wrong) of(s *Setting, origin string) *ValueError {
	e := &ValueError{Setting: s.Name, Origin: origin, Wants: w.wants, Got: w.got}
	if s.Secret && e.Got != "" && e.Got != `""` {
		e.Got = Hidden
	}
	return e
}

// Wrong are those of err's errors that are about a setting.
func Wrong(err error) []*ValueError {
	var all []*ValueError
	for _, one := range Split(err) {
		if e, ok := errors.AsType[*ValueError](one); ok {
			all = append(all, e)
		}
	}
	return all
}
