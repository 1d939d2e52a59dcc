package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// configFile is the path behind --config. As a kong hook it reads the file once
// the path is known and before the other flags get their values.
type configFile string

// BeforeResolve is called by kong, also if the path came from the environment.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, ok := ctx.FlagValue(trace.Flag).(configFile)
	if !ok || path == "" {
		return nil
	}
	file, err := os.Open(string(path))
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	settings, err := readConfig(string(path), file)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = settings.checkKeys(ctx.Selected())
	}
	if err != nil {
		return err
	}
	ctx.AddResolver(settings)
	return nil
}

// config is a configuration file: flags' names, what they are set to, and in
// which line. It is a kong.Resolver.
type config struct {
	path     string
	settings map[string]setting
}

type setting struct {
	line   int
	values []string
}

// readConfig reads one flat YAML mapping of scalars and lists of scalars. The
// scalars stay text: their flags know what they mean, and YAML's own opinion
// ("010" is 8, "1_000" is 1000, "off" is false) would only confuse.
func readConfig(path string, r io.Reader) (*config, error) {
	c := &config{path: path, settings: map[string]setting{}}
	decoder := yaml.NewDecoder(r)
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return c, nil // empty, or comments only
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: wants one document, without a line of --- in its middle", path)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return c, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, c.errorf(root.Line, "wants lines of the form key: value")
	}
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		values, err := scalars(value)
		if err != nil {
			errs = append(errs, c.errorf(value.Line, "%s: %w", key.Value, err))
			continue
		}
		if before, twice := c.settings[key.Value]; twice {
			errs = append(errs, c.errorf(key.Line, "%s is set before, in line %d", key.Value, before.line))
			continue
		}
		c.settings[key.Value] = setting{key.Line, values}
	}
	return c, errors.Join(errs...)
}

func scalars(n *yaml.Node) ([]string, error) {
	switch {
	case n.Kind == yaml.AliasNode:
		return scalars(n.Alias)
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return []string{n.Value}, nil
	case n.Kind == yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, errors.New("wants a list of plain values")
			}
			all = append(all, item.Value)
		}
		return all, nil
	}
	return nil, errors.New("wants a value or a list of values")
}

// checkKeys refuses keys that are not flags of command.
func (c *config) checkKeys(command *kong.Node) error {
	var names []string
	for _, flag := range command.Flags {
		// What is no setting has no variable either.
		if flag.Name != "config" && flag.Name != "help" && len(flag.Envs) > 0 {
			names = append(names, flag.Name)
		}
	}
	var errs []error
	for key, set := range c.settings {
		if !slices.Contains(names, key) {
			errs = append(errs, c.errorf(set.line, "unknown key %q%s", key, meant(key, names)))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// meant guesses the key that was meant: the same letters in another spelling, or
// all but one of them.
func meant(key string, names []string) string {
	letters := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(s))
	}
	for _, name := range names {
		if oneEdit(letters(key), letters(name)) {
			return fmt.Sprintf(", did you mean %q?", name)
		}
	}
	return ""
}

// oneEdit tells whether a becomes b by at most one letter put in, left out or
// exchanged.
func oneEdit(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1
}

// Validate is part of kong.Resolver; checkKeys has done it, knowing the command.
func (*config) Validate(*kong.Application) error { return nil }

// Resolve gives a flag its value from the file. kong asks only for flags that
// were not on the command line, but it asks also for those that the environment
// has set: they keep what they have.
func (c *config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	set, ok := c.settings[flag.Name]
	if !ok {
		return nil, nil //nolint:nilnil // kong's way of saying "not here"
	}
	for _, name := range flag.Tag.Envs {
		if _, isSet := os.LookupEnv(name); isSet {
			return nil, nil //nolint:nilnil // as above
		}
	}
	if !flag.IsSlice() && len(set.values) != 1 {
		return nil, c.errorf(set.line, "wants one value, got a list")
	}
	value := any(strings.Join(set.values, string(flag.Tag.Sep)))
	// Tried here first, so that the error can say which line is wrong.
	probe := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, probe); err != nil {
		return nil, c.errorf(set.line, "%w", err)
	}
	return value, nil
}

func (c *config) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{c.path, line}, args...)...)
}
