package members

// Stats is what is counted of sessions' questions who is in a group.
type Stats struct {
	Answered uint64 `metric:"member_questions_total" help:"Questions of sessions who is in a group that were answered with a page."`
	UnderWay int    `metric:"member_questions" help:"Questions of sessions who is in a group that are under way."`
	Full     uint64 `metric:"limit_hits_total{limit=max_member_questions}"` // found no place, or one of the session's was under way
	Late     uint64 `metric:"limit_hits_total{limit=api_query_timeout}"`    // the loops did not answer in time
	Failed   uint64 `metric:"member_questions_failed_total" help:"Questions of sessions who is in a group that nobody could answer: the log says why."`
}
