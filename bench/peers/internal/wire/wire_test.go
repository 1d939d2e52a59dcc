package wire

import "testing"

func TestParse(t *testing.T) {
	tests := map[string]struct{ in, verb, group, message, ack string }{
		"join":            {`{"cmd":"add_group","group_id":"g","req_id":7}`, AddGroup, "g", "", `{"cmd":"ack","req_id":7}`},
		"leave":           {`{"cmd":"leave_group","group_id":"g"}`, LeaveGroup, "g", "", ""},
		"number as group": {`{"cmd":"add_group","group_id":123}`, AddGroup, "123", "", ""},
		"string":          {`{"cmd":"send_to_group","group_id":"g","message":"a\"\u00e4\n"}`, SendToGroup, "g", "a\"ä\n", ""},
		"any other value": {
			`{"cmd":"send_to_group","group_id":"g","message":{"a": [1]}}`, SendToGroup, "g", `{"a": [1]}`, "",
		},
		"string as id": {
			`{"cmd":"add_group","group_id":"g","req_id":"x\"y"}`, AddGroup, "g", "", `{"cmd":"ack","req_id":"x\"y"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := []byte(test.in)
			c, err := Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			clear(in) // nothing may refer to it
			if c.Verb != test.verb || c.Group != test.group || string(c.Message) != test.message || string(c.Ack) != test.ack {
				t.Errorf("%+v: message %q, ack %q", c, c.Message, c.Ack)
			}
		})
	}
	for _, bad := range []string{
		``, `{`, `[]`, `{"cmd":"add_group"}`, `{"cmd":"send_to_group","group_id":"g"}`, `{"cmd":5,"group_id":"g"}`,
	} {
		if c, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, c)
		}
	}
}
