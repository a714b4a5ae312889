package webhook

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
)

// Who sends its bodies slowly holds the places of its own address, and keeps no other out.
func TestAnAddressHasItsShareOfThePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow(shortAtOnce)
		ctx, cancel := context.WithTimeout(t.Context(), placeWait)
		defer cancel()
		var slow []func()
		for {
			leave, ok := r.enter(ctx, "10.0.0.66")
			if !ok {
				break
			}
			slow = append(slow, leave)
		}
		if len(slow) != shortAtOnce/shares {
			t.Fatalf("one address has %d of %d places", len(slow), shortAtOnce)
		}
		ctx, cancel = context.WithTimeout(t.Context(), placeWait)
		defer cancel()
		leave, ok := r.enter(ctx, "10.0.0.1")
		if !ok {
			t.Fatal("another address is kept out")
		}
		leave()
		slow[0]()
		if leave, ok := r.enter(ctx, "10.0.0.66"); !ok {
			t.Fatal("a place that was given back is not taken")
		} else {
			leave()
		}
		for _, leave := range slow[1:] {
			leave()
		}
		if len(r.these) != 0 || len(r.places) != 0 {
			t.Fatalf("%d addresses are remembered and %d places taken, with no call", len(r.these), len(r.places))
		}
	})
}

// However many addresses call, no more than the places of a row are taken.
func TestARowHasItsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow(reviewsAtOnce)
		ctx, cancel := context.WithTimeout(t.Context(), placeWait)
		defer cancel()
		taken := 0
		for i := range 2 * reviewsAtOnce {
			if leave, ok := r.enter(ctx, strconv.Itoa(i)); ok {
				defer leave()
				taken++
			}
		}
		if taken != reviewsAtOnce {
			t.Fatalf("%d places of %d are taken", taken, reviewsAtOnce)
		}
	})
}
