package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFileBytes bounds a configuration file, and with it what YAML may make of one.
const maxFileBytes = 1 << 20

// fromFile reads one flat YAML mapping of scalars and lists of scalars. The scalars
// stay text: their settings know what they mean, and YAML's own opinion ("010" is 8,
// "1_000" is 1000, "off" is false) would only confuse.
func fromFile(path string, r io.Reader) (given map[string]Given, errs []error) {
	given = make(map[string]Given)
	at := func(line int) string { return path + ":" + strconv.Itoa(line) }
	text, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("wants %d bytes at most", maxFileBytes)
	}
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %w", path, err)}
	}
	root, err := mapping(text)
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %w", path, err)}
	}
	if root == nil {
		return given, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, []error{fmt.Errorf("%s: wants lines of the form key: value", at(root.Line))}
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		s := Find(key.Value)
		if s == nil || s.NoKey || key.Kind != yaml.ScalarNode {
			errs = append(errs, unknown("key", key.Value, at(key.Line), strconv.Quote))
			continue
		}
		if before, twice := lines[s.Name]; twice {
			errs = append(errs, (&wrong{"one line", "another line before, " + strconv.Itoa(before)}).of(s, at(key.Line)))
			delete(given, s.Name)
			continue
		}
		lines[s.Name] = key.Line
		values, w := scalars(node)
		if w != nil {
			errs = append(errs, w.of(s, at(node.Line)))
			continue
		}
		if s.list && node.Kind == yaml.ScalarNode {
			values = splitList(values)
		}
		given[s.Name] = Given{values, at(key.Line)}
	}
	return given, errs
}

// mapping is what a file with one document has in it; nil for nothing.
func mapping(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // empty, or comments only
		}
		if strings.HasPrefix(err.Error(), "yaml: unknown anchor ") {
			// Its name is mostly a value, and may be a secret.
			return nil, errors.New("wants quotes around a value that begins with *, which YAML takes for an alias")
		}
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("wants one document, without a line of --- in its middle")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil //nolint:nilnil // a document with nothing in it
	}
	return root, nil
}

func scalars(n *yaml.Node) ([]string, *wrong) {
	switch {
	case n.Kind == yaml.AliasNode && n.Alias.Kind != yaml.AliasNode:
		return scalars(n.Alias)
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return []string{n.Value}, nil
	case n.Kind == yaml.SequenceNode:
		all := []string{}
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, &wrong{"a list of plain values", "a list with something else in it"}
			}
			all = append(all, item.Value)
		}
		return all, nil
	case n.Kind == yaml.ScalarNode:
		return nil, &wrong{"a value or a list of values", "nothing"}
	}
	return nil, &wrong{"a value or a list of values", "lines of another form"}
}
