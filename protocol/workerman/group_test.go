package workerman

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const nodeA, nodeB = "0123456789abcdef", "fedcba9876543210"

func TestAppendGroupMessage(t *testing.T) {
	for want, got := range map[string][]byte{
		`a:2:{s:8:"group_id";s:3:"123";s:7:"message";s:5:"hello";}`: AppendGroupMessage(nil, "123",
			"hello", nil),
		`a:2:{s:8:"group_id";s:5:"grün";s:7:"message";s:0:"";}`: AppendGroupMessage(nil,
			[]byte("grün"), []byte{}, nil),
		`a:3:{s:8:"group_id";s:1:"g";s:7:"message";s:2:"42";s:9:"groupcast";s:6:"json x";}`: AppendGroupMessage(nil, "g",
			"42", []byte("json x")),
	} {
		if string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
		g, ok := Data{Bytes: got}.GroupMessage()
		if !ok || g.Group.Kind != KindString || g.Message.Kind != KindString {
			t.Errorf("%s: %+v %v", got, g, ok)
		}
	}
}

func TestGroupMessageIsAnArray(t *testing.T) {
	for _, data := range []string{``, `N;`, `s:1:"x";`, `i:5;`, `a:1:{i:0;N;`, `a:0:{}x`, `a:1:{N;N;}`, `O:1:"x":0:{}`} {
		if g, ok := (Data{Bytes: []byte(data)}).GroupMessage(); ok {
			t.Errorf("%s: %+v", data, g)
		}
	}
	g, ok := Data{Bytes: []byte(`a:0:{}`)}.GroupMessage()
	if !ok || g.Group.Kind != 0 || g.Message.Kind != 0 || g.Mark != nil {
		t.Errorf("%+v %v", g, ok)
	}
}

func TestWithMark(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"empty": {`a:0:{}`, `a:1:{s:9:"groupcast";s:1:"m";}`},
		"added": {
			`a:2:{s:7:"message";s:1:"}";i:0;a:1:{i:0;N;}}`,
			`a:3:{s:7:"message";s:1:"}";i:0;a:1:{i:0;N;}s:9:"groupcast";s:1:"m";}`,
		},
		"replaced at the end": {`a:2:{i:0;N;s:9:"groupcast";s:3:"old";}`, `a:2:{i:0;N;s:9:"groupcast";s:1:"m";}`},
		"replaced in front":   {`a:2:{s:9:"groupcast";a:1:{i:0;N;}i:0;N;}`, `a:2:{i:0;N;s:9:"groupcast";s:1:"m";}`},
		"one digit more": {
			`a:9:{i:0;N;i:1;N;i:2;R:6;i:3;N;i:4;N;i:5;N;i:6;N;i:7;R:7;i:8;N;}`,
			`a:10:{i:0;N;i:1;N;i:2;R:5;i:3;N;i:4;N;i:5;N;i:6;N;i:7;R:6;i:8;N;s:9:"groupcast";s:1:"m";}`,
		},
		"references and an old mark": {`a:3:{s:9:"groupcast";N;i:0;N;i:1;R:7;}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			var m Message
			if err := NewDecoder(DefaultLimits()).Decode([]byte(publishOf(test.data)), &m); err != nil {
				t.Fatal(err)
			}
			g, ok := m.Data.GroupMessage()
			if !ok {
				t.Fatal("no array")
			}
			d, ok := g.WithMark([]byte("m"))
			if got := string(d.appendAt(nil, 4)); ok != (test.want != "") || ok && got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestMark(t *testing.T) {
	for in, hops := range map[string]int{
		"text " + nodeA:                     1,
		"json " + nodeA + " " + nodeB:       2,
		"":                                  0,
		"text":                              0,
		"text ":                             0,
		nodeA:                               0,
		"text " + nodeA[1:]:                 0,
		"text " + nodeA + " ":               0,
		"text " + nodeA + "  " + nodeB:      0,
		"TEXT " + nodeA:                     0,
		"text 0123456789abcdeF":             0,
		"text " + nodeA + "-" + nodeB:       0,
		"text " + nodeA + " " + nodeB + "0": 0,
	} {
		m, ok := ParseMark([]byte(in))
		if ok != (hops > 0) || m.Hops() != hops || ok && m.IsText != (in[0] == 't') {
			t.Errorf("%q: %+v %v", in, m, ok)
		}
	}
	if !IsNodeID([]byte(nodeA)) || IsNodeID([]byte(nodeA+" "+nodeB)) || IsNodeID(nil) || IsNodeID([]byte(nodeA[1:]+"x")) {
		t.Error("IsNodeID")
	}
}

// TestMarkGrows: each groupcast adds its name, and the way may not be longer than MaxHops.
func TestMarkGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.StringMatching(`[0-9a-f]{16}`), 1, MaxHops+1).Draw(t, "ids")
		m := Mark{IsText: rapid.Bool().Draw(t, "text")}
		for i, id := range ids {
			next, ok := ParseMark(m.AppendMark(nil, id))
			if ok != (i < MaxHops) {
				t.Fatalf("after %d: %v", i+1, ok)
			}
			if !ok {
				return
			}
			if next.IsText != m.IsText || next.Hops() != i+1 || string(next.Last()) != id || !next.Has(ids[0]) || !next.Has(id) {
				t.Fatalf("%+v after %v", next, ids[:i+1])
			}
			m = next.Clone()
		}
		other := rapid.StringMatching(`[0-9a-f]{16}`).Draw(t, "other")
		if m.Has(other) != slices.Contains(ids, other) || m.Has("") {
			t.Fatal("Has")
		}
	})
}
