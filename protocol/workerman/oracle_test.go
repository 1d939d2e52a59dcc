package workerman

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// node is a value as the naive parser of the tests understands it: a tree, with
// everything copied.
type node struct {
	kind  Kind
	text  string
	slot  int // 0 for keys and references
	pairs []pair
}

type pair struct{ key, value *node }

// naive reads serialized values in the plainest way, one regular expression a
// kind, to be compared with the scanner.
type naive struct {
	slots int
	deep  int // the deepest nesting met
	order []*node
}

var grammar = []struct {
	kind Kind
	expr *regexp.Regexp
}{
	{KindNull, regexp.MustCompile(`^N;()`)},
	{KindBool, regexp.MustCompile(`^b:([01]);`)},
	{KindInt, regexp.MustCompile(`^i:([+-]?[0-9]+);`)},
	{KindFloat, regexp.MustCompile(`^d:(NAN|-?INF|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?);`)},
	{KindString, regexp.MustCompile(`^s:([0-9]+):"`)},
	{KindArray, regexp.MustCompile(`^a:([0-9]+):\{`)},
	{KindReference, regexp.MustCompile(`^R:([0-9]+);`)},
}

// parse returns the value that b begins with and what is behind it, nil if there is none.
func (p *naive) parse(b string, isKey bool, depth int) (n *node, rest string) {
	for _, g := range grammar {
		found := g.expr.FindStringSubmatch(b)
		if found == nil {
			continue
		}
		n = &node{kind: g.kind, text: found[1]}
		rest = b[len(found[0]):]
		break
	}
	if n == nil || isKey && n.kind != KindInt && n.kind != KindString {
		return nil, ""
	}
	if !isKey && n.kind != KindReference {
		p.slots++
		n.slot = p.slots
		p.order = append(p.order, n)
	}
	switch n.kind {
	default: // the expression says it all
	case KindInt:
		if _, err := strconv.ParseInt(n.text, 10, 64); err != nil {
			return nil, ""
		}
	case KindReference:
		slot, err := strconv.Atoi(n.text)
		if err != nil || slot < 1 || slot > p.slots {
			return nil, ""
		}
	case KindString:
		size, err := strconv.Atoi(n.text)
		if err != nil || size > len(rest) || !strings.HasPrefix(rest[size:], `";`) {
			return nil, ""
		}
		n.text, rest = rest[:size], rest[size+2:]
	case KindArray:
		size, err := strconv.Atoi(n.text)
		if err != nil {
			return nil, ""
		}
		n.text = ""
		p.deep = max(p.deep, depth+1)
		for range size {
			var kv pair
			if kv.key, rest = p.parse(rest, true, depth+1); kv.key == nil {
				return nil, ""
			}
			if kv.value, rest = p.parse(rest, false, depth+1); kv.value == nil {
				return nil, ""
			}
			n.pairs = append(n.pairs, kv)
		}
		if !strings.HasPrefix(rest, "}") {
			return nil, ""
		}
		rest = rest[1:]
	}
	return n, rest
}

// get is the value of the last pair with that string as its key.
func (n *node) get(key string) *node {
	var v *node
	for _, kv := range n.pairs {
		if kv.key.kind == KindString && kv.key.text == key {
			v = kv.value
		}
	}
	return v
}

// append writes the value again, every back reference moved by shift.
func (n *node) append(dst []byte, shift int) []byte {
	switch n.kind {
	case KindNull:
		return append(dst, "N;"...)
	case KindString:
		return AppendString(dst, n.text)
	case KindArray:
		dst = appendArray(dst, len(n.pairs))
		for _, kv := range n.pairs {
			dst = kv.value.append(kv.key.append(dst, shift), shift)
		}
		return append(dst, '}')
	case KindReference:
		slot, _ := strconv.Atoi(n.text)
		return append(strconv.AppendInt(append(dst, "R:"...), int64(slot+shift), 10), ';')
	default:
		dst = append(dst, map[Kind]string{KindBool: "b:", KindInt: "i:", KindFloat: "d:"}[n.kind]...)
		return append(append(dst, n.text...), ';')
	}
}

// refersWithin says whether each back reference in n leads to a slot above floor.
func (n *node) refersWithin(floor int) bool {
	if n.kind == KindReference {
		slot, _ := strconv.Atoi(n.text)
		return slot > floor
	}
	for _, kv := range n.pairs {
		if !kv.value.refersWithin(floor) {
			return false
		}
	}
	return true
}

// naiveMessage is Decode by way of the naive parser, without the limits: nil
// where the body is refused, and data written again in the form that stands in
// slot 4.
func naiveMessage(body []byte) *simple {
	var p naive
	root, rest := p.parse(string(body), false, 0)
	if root == nil || strings.Trim(rest, "\n") != "" || root.kind != KindArray {
		return nil
	}
	for _, kv := range root.pairs {
		if kv.key.kind != KindString {
			continue
		}
		// Any of several is looked at, though the last one counts.
		switch v := kv.value; kv.key.text {
		case "type":
			if v.kind != KindString {
				return nil
			}
		case "channels":
			if v.kind != KindArray {
				return nil
			}
			for _, c := range v.pairs {
				if c.value.kind != KindString && c.value.kind != KindInt {
					return nil
				}
			}
		case "channel":
			if v.kind != KindString && v.kind != KindInt {
				return nil
			}
		case "data":
			if !v.refersWithin(v.slot) || v.kind == KindReference {
				return nil
			}
		}
	}
	m := &simple{}
	single, list := root.get("channel"), root.get("channels")
	if typ := root.get("type"); typ != nil {
		for t := TypeSubscribe; t < Types; t++ {
			if t.String() == typ.text {
				m.typ = t
			}
		}
	} else if single != nil {
		m.typ = TypeEvent
	}
	switch {
	case m.typ == 0, m.typ.toClient() && single == nil, !m.typ.toClient() && m.typ != TypeReserve && list == nil:
		return nil
	case m.typ.toClient():
		m.channels = []string{single.channel()}
	case m.typ != TypeReserve:
		for _, c := range list.pairs {
			m.channels = append(m.channels, c.value.channel())
		}
	}
	if m.typ.HasData() {
		m.data = "N;"
		if data := root.get("data"); data != nil {
			m.data = string(data.append(nil, 4-data.slot))
		}
	}
	if mark := root.get(MarkKey); mark != nil && mark.kind == KindString {
		m.mark = "=" + mark.text
	}
	return m
}

// channel is a channel's name with its form before it.
func (n *node) channel() string {
	if n.kind == KindString {
		return "s" + n.text
	}
	v, _ := strconv.ParseInt(n.text, 10, 64)
	return "i" + strconv.FormatInt(v, 10)
}

// simple is a Message in a form that can be compared.
type simple struct {
	typ        Type
	channels   []string
	data, mark string
}

func simplify(m *Message) *simple {
	s := &simple{typ: m.Type}
	for _, c := range m.Channels {
		form := "s"
		if c.IsInt {
			form = "i"
		}
		s.channels = append(s.channels, form+string(c.Name))
	}
	if m.Type.HasData() {
		s.data = string(m.Data.appendAt(nil, 4))
	}
	if m.Mark != nil {
		s.mark = "=" + string(m.Mark)
	}
	return s
}

// normal writes the numbers of a value as the scanner's callers see them: the
// naive parser keeps a count's leading zeros out, the scanner passes them on.
func normal(data string) string {
	var p naive
	n, rest := p.parse(data, false, 0)
	if n == nil || rest != "" {
		return data
	}
	return string(n.append(nil, 0))
}

// naiveSplit cuts in into bodies. bad says that it ends with a length that is refused.
func naiveSplit(in []byte, limit int) (bodies [][]byte, bad bool) {
	for len(in) >= 4 {
		n := int(in[0])<<24 | int(in[1])<<16 | int(in[2])<<8 | int(in[3])
		if n < 4 || n > limit {
			return bodies, true
		}
		if n > len(in) {
			break
		}
		bodies = append(bodies, bytes.Clone(in[4:n]))
		in = in[n:]
	}
	return bodies, false
}
