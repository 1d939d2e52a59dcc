package settings

import (
	"errors"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var someTexts = []string{
	"", "0", "-1", "64KiB", "99999999999999999999", "1e400", "NaN", "5s", "-5s", "unix:", ":1,:1", "\x00", "a\nb", "0o9",
	"[::1]:x", "none", "\xff",
}

func TestValues(t *testing.T) {
	for i := range len(someTexts) * len(All()) * 3 {
		tryValue(t, i/3/len(someTexts), i%3, someTexts[i/3%len(someTexts)])
	}
}

func FuzzValue(f *testing.F) {
	for i, text := range someTexts {
		f.Add(i*5, i, text)
	}
	f.Fuzz(tryValue)
}

// No value of any setting, from wherever, does harm: it is taken, and then it is in
// range, or told once, with the setting's name, what it wants and what it got.
func tryValue(t *testing.T, row, place int, text string) {
	t.Helper()
	s := All()[uint(row)%uint(len(All()))]
	if s.Name == "config" {
		return // any file may be there
	}
	given, errs := map[string]Given{}, []error(nil)
	switch uint(place) % 3 {
	case 0:
		given, errs = fromFlags(Flags{s.Name: {text}})
	case 1:
		given, errs = fromEnviron([]string{Variable(s.Name) + "=" + text})
	case 2:
		line, err := yaml.Marshal(map[string]string{s.Name: text})
		if err != nil {
			return
		}
		given, errs = fromFile("x.yaml", strings.NewReader(string(line)))
	}
	r := newReading()
	r.add(given, errs)
	r.put(s)
	r.errs = append(r.errs, r.check()...)
	switch len(r.errs) {
	case 0:
		if err := r.options.Validate(); err != nil {
			t.Errorf("%s: %q was taken, and is wrong: %v", s.Name, text, err)
		}
	case 1:
		e, ok := errors.AsType[*ValueError](r.errs[0])
		if !ok || e.Wants == "" || e.Got == "" && text != "" || Find(e.Setting) == nil {
			t.Fatalf("%s: %q: %#v", s.Name, text, r.errs[0])
		}
		// Either it is wrong, or another cannot live with it: then that one names it.
		if e.Setting != s.Name && !strings.Contains(e.Wants, Flag(s.Name)) {
			t.Errorf("%s: %q: %v", s.Name, text, e)
		}
		if s.Secret && len(text) > 8 && strings.Contains(e.Error(), text) {
			t.Errorf("a secret is told: %v", e)
		}
	default:
		// Several others may not live with it; each is told once.
		told := map[string]bool{}
		for _, err := range r.errs {
			e, ok := errors.AsType[*ValueError](err)
			blames := ok && (strings.Contains(e.Wants, Flag(s.Name)) || s.Name == "max-group-name")
			if !blames || told[e.Setting] || e.Setting == s.Name {
				t.Errorf("%s: %q: %v", s.Name, text, err)
			}
			told[e.Setting] = true
		}
	}
}

// No file does harm.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "listen: [a, b]\n", "a: &a [*a]\n", "drain: 1s\ndrain: 2s\n", "? [a]\n: b\n", "loops: !!binary x\n", "---\n---\n",
		"api-token: |\n  x\n  y\n", "<<: {loops: 1}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		given, errs := fromFile("x.yaml", strings.NewReader(text))
		for name, one := range given {
			if s := Find(name); s == nil || s.NoKey || one.Values == nil || !strings.HasPrefix(one.Origin, "x.yaml:") {
				t.Errorf("%s: %+v", name, one)
			}
		}
		for _, err := range errs {
			if !strings.Contains(err.Error(), "x.yaml") {
				t.Errorf("%v does not say where", err)
			}
		}
		r := newReading()
		r.add(given, errs)
		for _, s := range All() {
			r.put(s)
		}
		_ = r.check()
	})
}
