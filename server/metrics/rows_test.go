package metrics

import (
	"reflect"
	"strings"
	"testing"

	"groupcast/loop"
)

// TestTags: a field that is not told, or not as it should be, is a mistake that the
// program does not start with.
func TestTags(t *testing.T) {
	type element struct {
		Name string `label:"name"`
		N    uint64 `metric:"n_total{name,place}" help:"N."`
	}
	for _, test := range []struct {
		want string // empty is none
		in   any
	}{
		{"", struct {
			List []element `index:"place"`
			Note string
			Not  int `metric:"-"`
		}{}},
		{`nothing gives place a value`, struct{ List []element }{}},
		{`has no tag "metric"`, struct{ N int }{}},
		{`has no tag "metric"`, struct{ N loop.ErrorCounts }{}},
		{`is a map[string]int, which is no figure`, struct{ N map[string]int }{}},
		{`is a float64, which is no figure`, struct {
			N float64 `metric:"n" help:"N."`
		}{}},
		{`groupcast_n has no help`, struct {
			N int `metric:"n"`
		}{}},
		{`unit "h": wants ns or us`, struct {
			N int `metric:"n" unit:"h" help:"N."`
		}{}},
		{`merge "min": wants max, or none`, struct {
			N int `metric:"n" merge:"min" help:"N."`
		}{}},
		{`wants } at its end`, struct {
			N int `metric:"n{a=b" help:"N."`
		}{}},
		{`nothing gives a a value`, struct {
			N int `metric:"n{a}" help:"N."`
		}{}},
		{`several counts want a label`, struct {
			N loop.ErrorCounts `metric:"n{a=b}" help:"N."`
		}{}},
		{`several counts want a label`, struct {
			N loop.ErrorCounts `metric:"n{a}" also:"m{a=b}" help:"N."`
		}{}},
		{`buckets "": wants two exponents`, struct {
			N loop.Histogram `metric:"n" help:"N."`
		}{}},
		{`groupcast_n has its help elsewhere already`, struct {
			A int `metric:"n{a=1}" help:"N."`
			B int `metric:"n{a=2}" help:"N."`
		}{}},
		{`groupcast_n is a gauge with the labels ["b"], and elsewhere a gauge with ["a"]`, struct {
			A int `metric:"n{a=1}" help:"N."`
			B int `metric:"n{b=1}"`
		}{}},
	} {
		var r reader
		r.table(reflect.TypeOf(test.in), nil)
		err := r.check()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%T: %v, want %s", test.in, err, test.want)
		}
	}
}

// TestSumOfNone: before the loops have answered there are no reactors, and yet their
// sums are told, as zero; a bridge that is not there is not told.
func TestSumOfNone(t *testing.T) {
	got := own(text(t, Sources{Stats: func() loop.Stats { return loop.Stats{} }}))
	for _, line := range []string{"groupcast_upgrades_total 0\n", `groupcast_command_errors_total{code="bad_json"} 0` +
		"\n", "groupcast_batch_messages_count 0\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
	if strings.Contains(got, "groupcast_sink") || strings.Contains(got, "reactor=") {
		t.Errorf("what is not there is told:\n%s", got)
	}
}
