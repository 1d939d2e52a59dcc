package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"groupcast/server/settings"
)

// settingFlags are the flags of start that are settings. kong makes flags from
// a struct's fields, so a struct is made from the settings' table. Each field takes
// any text: what it means, and what is wrong with it, package settings says, of all
// at once. So that it can say it of unknown flags as well, these get a field, too.
// Owner: parse.
type settingFlags struct {
	args   []string // without what no flag takes
	errs   []error  // of that
	names  []string
	fields []reflect.StructField
	value  reflect.Value // the struct
}

// newSettingFlags makes the flags of the table, and of those in args that are in none.
func newSettingFlags(args []string) *settingFlags {
	f := &settingFlags{args: args}
	for _, g := range settings.Groups {
		for i := range g.Settings {
			s := &g.Settings[i]
			tag := fmt.Sprintf(`name:%q group:%q placeholder:%q env:"-" help:%q`, s.Name, g.Key, s.Hint(), helpOf(s))
			if s.Shown == settings.Rare {
				tag += ` hidden:""`
			}
			f.add(s.Name, tag)
		}
	}
	if len(args) > 0 && args[0] == "start" {
		f.args = append([]string{"start"}, f.sort(args[1:])...)
	}
	f.value = reflect.New(reflect.StructOf(f.fields))
	return f
}

func (f *settingFlags) add(name, tag string) {
	f.fields = append(f.fields, reflect.StructField{
		Name: "F" + strconv.Itoa(len(f.fields)),
		Type: reflect.TypeFor[given](),
		Tag:  reflect.StructTag(tag),
	})
	f.names = append(f.names, name)
}

// sort takes out of args what no flag of start takes: kong would stop at the first
// of them, and say nothing of the rest.
func (f *settingFlags) sort(args []string) (taken []string) {
	switches := []string{"help"}
	for field := range reflect.TypeFor[startFlags]().Fields() {
		switches = append(switches, field.Tag.Get("name"))
	}
	for _, s := range settings.All() {
		if s.Switch() {
			switches = append(switches, s.Name)
		}
	}
	waits := false  // the last one is a flag whose value may follow
	secret := false // and that is for nobody to see
	for i, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, whole := strings.Cut(name, "=")
		known := isFlag && (slices.Contains(f.names, name) || slices.Contains(switches, name))
		switch {
		case arg == "--":
			return append(taken, args[i:]...)
		case waits && secret && !known && len(arg) > 1 && arg[0] == '-' && !negative(arg):
			f.errs = append(f.errs, fmt.Errorf("%s: write %[1]s=VALUE where the value begins with -", taken[len(taken)-1]))
			waits = false
		case isFlag:
			waits = !whole && !slices.Contains(switches, name)
			s := settings.Find(name)
			secret = s != nil && s.Secret
			if flagName(name) && !known {
				f.add(name, fmt.Sprintf(`name:%q env:"-" hidden:""`, name))
			}
			taken = append(taken, arg)
		case waits && (negative(arg) || !strings.HasPrefix(arg, "-") || arg == "-"):
			waits = false
			taken[len(taken)-1] += "=" + arg
		case len(arg) > 1 && strings.Trim(arg, "-dh") == "": // the short ones
			waits = false
			taken = append(taken, arg)
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			waits = false
			f.errs = append(f.errs, fmt.Errorf("unknown flag %s", arg))
		default:
			f.errs = append(f.errs, fmt.Errorf("unexpected argument %s", arg))
		}
	}
	return taken
}

// negative reports whether arg is a number below 0, and no flag.
func negative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && strings.Contains("0123456789.", arg[1:2])
}

// plugin is what kong is given.
func (f *settingFlags) plugin() any { return f.value.Interface() }

// given is what the command line gave.
func (f *settingFlags) given() settings.Flags {
	all := settings.Flags{}
	for i, name := range f.names {
		one, ok := reflect.TypeAssert[given](f.value.Elem().Field(i))
		switch {
		case !ok || !one.there:
		case one.bare:
			all[name] = nil
		default:
			all[name] = one.values
		}
	}
	return all
}

// flagName reports whether an unknown flag's name can stand in a struct's tag.
func flagName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return name != "" && strings.Trim(name, letters) == ""
}

// helpOf is a setting's help with its default behind it. kong takes $ for the
// beginning of a variable of its own.
func helpOf(s *settings.Setting) string {
	help := s.Help
	if text := s.Default(); text != "" && text != "0" && text != "0s" {
		help = strings.TrimSuffix(help, ".") + " (default " + text + ")."
	}
	return strings.ReplaceAll(help, "$", "$$")
}

func groups() (all []kong.Group) {
	for _, g := range settings.Groups {
		all = append(all, kong.Group{Key: g.Key, Title: g.Title + ":"})
	}
	return all
}

// given are the values of one flag.
type given struct {
	values []string
	there  bool
	bare   bool // without a value, at least once
}

// Decode takes the next value, if there is one.
func (g *given) Decode(ctx *kong.DecodeContext) error {
	g.there = true
	if !ctx.Scan.Peek().IsValue() {
		g.bare = true
		return nil
	}
	text, ok := ctx.Scan.Pop().Value.(string)
	if !ok {
		return errors.New("wants a text")
	}
	g.values = append(g.values, text)
	return nil
}

// helpAll is --help with nothing left out.
type helpAll bool

// BeforeReset is called by kong as soon as the command line is known.
func (helpAll) BeforeReset(ctx *kong.Context) error {
	for _, flag := range ctx.Selected().Flags {
		flag.Hidden = false
	}
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	ctx.Exit(exitStopped)
	return nil
}

// IsBool has kong take no value for it.
func (helpAll) IsBool() bool { return true }
