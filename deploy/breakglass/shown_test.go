package breakglass

import "testing"

// Who may open something must not hide it from who looks at the list: a line feed there
// would draw a record of somebody else, and a terminal's own sequences wipe one out.
func TestARecordIsShownInItsLine(t *testing.T) {
	r := Record{Namespace: "shop", Name: "now", Reason: "INC-1\nshop/fake\tby bob\x1b[2K\u202e\u009b1A", By: "alice é"}
	if s := r.Shown(); s.Reason != "INC-1\uFFFDshop/fake\uFFFDby bob\uFFFD[2K\uFFFD\uFFFD1A" || s.By != r.By || s.String() != r.String() {
		t.Errorf("it is shown as %q by %q", s.Reason, s.By)
	}
}
