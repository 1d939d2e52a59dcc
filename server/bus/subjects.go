package bus

import (
	"groupcast/protocol/subject"
)

// subjects are the node's, written once.
type subjects struct {
	prefix subject.Prefix
	groups string // all groups
	users  string // all users
	many   string // messages with several targets
	all    string // nodes among themselves
	own    string // for this node
	node   string // the beginning of one for a node
	inbox  string // the beginning of what answers come to
}

func subjectsOf(p subject.Prefix, node string) subjects {
	return subjects{
		prefix: p,
		groups: p.All(subject.KindGroup),
		users:  p.All(subject.KindUser),
		many:   p.String() + ".m",
		all:    p.String() + ".n.all",
		own:    p.String() + ".n." + node,
		node:   p.String() + ".n.",
		inbox:  p.String() + ".n." + node + ".i",
	}
}

// fixed is what every node in the cluster listens to. To its own it does before.
func (s *subjects) fixed() []string { return []string{s.all, s.many, s.users} }

// of is the subject of a group or a user.
func (s *subjects) of(k subject.Kind, name string) (string, error) {
	text, err := subject.Append(make([]byte, 0, 64), s.prefix, k, name)
	return string(text), err
}
