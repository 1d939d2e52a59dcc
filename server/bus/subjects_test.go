package bus

import (
	"os"
	"strings"
	"testing"

	"groupcast/protocol/subject"
)

// TestSubjectsOfTheContract: what a node listens to, and where it publishes, is what WIRE.md says.
func TestSubjectsOfTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../protocol/WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## NATS: between nodes, and from backends\n")
	section, _, ok := strings.Cut(section, "### What holds over several nodes\n")
	if !ok {
		t.Fatal("WIRE.md has no section on NATS between nodes")
	}
	prefix, err := subject.ParsePrefix(subject.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	s := subjectsOf(prefix, "NODE")
	for _, want := range []string{
		strings.Replace(s.groups, "*", "GROUP", 1), strings.Replace(s.users, "*", "USER", 1), s.many, s.all, s.own,
		s.inbox + ".>",
	} {
		if !strings.Contains(section, "`"+want+"`") {
			t.Errorf("WIRE.md does not name %s", want)
		}
	}
}
