package protocol

import "strconv"

// Member is one session that is in a group, as clients are told.
type Member struct {
	Session string
	User    string // "": anonymous
	Node    string // "": this node is alone
}

// MembersPage is a part of a group's members.
type MembersPage struct {
	// Total is how many members there are in all.
	Total   int
	Members []Member
	// Next is where the next page goes on; "" at the end.
	Next string
	// Silent are the nodes that did not answer: their members are missing.
	Silent []string
}

// AppendMembers appends the answer to a members command. reqID is as for AppendAck; all
// texts must be UTF-8. It is as long as the page asks for.
func AppendMembers(dst []byte, mode Mode, reqID []byte, group string, page *MembersPage) []byte {
	dst = appendReply(dst, mode, "members", reqID)
	dst = append(dst, `,"group_id":`...)
	dst = appendQuoted(dst, group)
	dst = append(dst, `,"total":`...)
	dst = strconv.AppendInt(dst, int64(page.Total), 10)
	dst = append(dst, `,"members":[`...)
	for i := range page.Members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, &page.Members[i])
	}
	dst = append(dst, ']')
	if page.Next != "" {
		dst = append(dst, `,"next":`...)
		dst = appendQuoted(dst, page.Next)
	}
	for i, node := range page.Silent {
		start := byte(',')
		if i == 0 {
			dst = append(dst, `,"silent":`...)
			start = '['
		}
		dst = append(dst, start)
		dst = appendQuoted(dst, node)
	}
	if len(page.Silent) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendMember(dst []byte, m *Member) []byte {
	dst = append(dst, `{"session":`...)
	dst = appendQuoted(dst, m.Session)
	if m.User != "" {
		dst = append(dst, `,"user":`...)
		dst = appendQuoted(dst, m.User)
	}
	if m.Node != "" {
		dst = append(dst, `,"node":`...)
		dst = appendQuoted(dst, m.Node)
	}
	return append(dst, '}')
}
