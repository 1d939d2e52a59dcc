package api

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"groupcast/loop"
)

// Whatever a program can want to publish comes out as it went in.
func TestParseItemsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type object struct {
			Groups  []any           `json:"groups"`
			Message json.RawMessage `json:"message"`
			Exclude []string        `json:"exclude,omitempty"`
		}
		var objects []object
		var want []item
		for range rapid.IntRange(0, 5).Draw(t, "items") {
			var o object
			var it item
			for _, name := range rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "groups") {
				if n, err := strconv.ParseInt(name, 10, 64); err == nil && strconv.FormatInt(n, 10) == name {
					o.Groups = append(o.Groups, n)
				} else {
					o.Groups = append(o.Groups, name)
				}
				it.groups = append(it.groups, strings.ToValidUTF8(name, "\ufffd"))
			}
			if it.isText = rapid.Bool().Draw(t, "text"); it.isText {
				text := strings.ToValidUTF8(rapid.String().Draw(t, "message"), "\ufffd")
				o.Message, it.payload = quoted(text), []byte(text)
			} else {
				o.Message = quoted(rapid.MapOf(rapid.StringMatching(`[a-z\\"]*`), rapid.Float64Range(-1e300, 1e300)).Draw(t,
					"value"))
				it.payload = o.Message
			}
			for range rapid.IntRange(0, 3).Draw(t, "excludes") {
				id, err := loop.ParseSessionID(strconv.Itoa(rapid.IntRange(0, 255).Draw(t, "reactor")) + "-1f-3")
				if err != nil {
					t.Fatal(err)
				}
				o.Exclude, it.exclude = append(o.Exclude, id.String()), append(it.exclude, id)
			}
			objects, want = append(objects, o), append(want, it)
		}
		check := func(body []byte, want []item, wantBatch bool) {
			got, batch, p := parseItems(body, 5, nil)
			if p != nil || batch != wantBatch || len(got) != len(want) {
				t.Fatalf("%s: %d items, %v, %v", body, len(got), batch, p)
			}
			for i := range got {
				g, w := got[i], want[i]
				if g.problem != nil || !slices.Equal(g.groups, w.groups) || !bytes.Equal(g.payload, w.payload) ||
					g.isText != w.isText || !slices.Equal(g.exclude, w.exclude) {
					t.Fatalf("%s: item %d is %+v, want %+v", body, i, g, w)
				}
			}
		}
		if objects == nil {
			objects = []object{}
		}
		check(quoted(objects), want, true)
		if len(objects) > 0 {
			check(quoted(objects[0]), want[:1], false)
		}
	})
}

// quoted is JSON without what encoding/json does for HTML's sake.
func quoted(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// Whatever comes in, it does no harm: what is taken is what encoding/json finds
// in it too, cut anywhere it is refused.
func FuzzParseItems(f *testing.F) {
	for _, seed := range []string{
		`{"groups":["a",1,-0],"message":"x","exclude":["0-1f-3"]}`,
		`[{"groups":["a"],"message":{"a" : [1.50,null]}},{"groups":[],"message":1},7]`,
		`{"groups":["\ud83d\ude42"],"message":"\ud83d"}`,
		`{"groups":["a"],"groups":["b"],"message":""}`,
		" [ ] ", "{}", "null", "[[]]", "\xff", `{"message":"a","groups":["b"],"x":{}}`,
	} {
		f.Add([]byte(seed), len(seed)/2)
	}
	f.Fuzz(func(t *testing.T, body []byte, cut int) {
		const maxItems = 4
		items, batch, p := parseItems(body, maxItems, nil)
		if p != nil {
			if p.Status != 400 && p.Status != 413 && p.Status != 422 {
				t.Fatalf("status %d", p.Status)
			}
			return
		}
		if !utf8.Valid(body) || !json.Valid(body) || len(items) > maxItems || !batch && len(items) != 1 {
			t.Fatalf("took %q", body)
		}
		if cut > 0 && cut < len(body) {
			if head := bytes.TrimRight(body[:cut], " \t\r\n"); !json.Valid(head) {
				if _, _, p := parseItems(head, maxItems, nil); p == nil {
					t.Fatalf("took a part of it: %q", head)
				}
			}
		}
		var raw []json.RawMessage
		if !batch {
			raw = []json.RawMessage{body}
		} else if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatal(err)
		}
		for i, it := range items {
			if it.problem != nil {
				if it.problem.Status != 422 {
					t.Fatalf("item %d: status %d", i, it.problem.Status)
				}
				continue
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(raw[i], &fields); err != nil {
				t.Fatal(err)
			}
			var groups []any
			d := json.NewDecoder(bytes.NewReader(fields["groups"]))
			d.UseNumber()
			if err := d.Decode(&groups); err != nil || len(groups) != len(it.groups) {
				t.Fatalf("groups %q of %s", it.groups, fields["groups"])
			}
			for j, g := range groups {
				name, isString := g.(string)
				if n, ok := g.(json.Number); ok {
					name = strings.TrimPrefix(n.String(), "-0")
					if n.String() == "-0" {
						name = "0"
					} else if !strings.HasPrefix(n.String(), "-0") {
						name = n.String()
					}
				} else if !isString {
					t.Fatalf("took %v for a group", g)
				}
				if name != it.groups[j] {
					t.Fatalf("group %q of %v", it.groups[j], g)
				}
			}
			if it.isText {
				var text string
				if err := json.Unmarshal(fields["message"], &text); err != nil || text != string(it.payload) {
					t.Fatalf("message %q of %s", it.payload, fields["message"])
				}
			} else if !bytes.Equal(it.payload, fields["message"]) {
				t.Fatalf("message %q of %s", it.payload, fields["message"])
			}
			if len(fields) > 3 || len(it.exclude) > 0 && fields["exclude"] == nil {
				t.Fatalf("took %s", raw[i])
			}
		}
	})
}
