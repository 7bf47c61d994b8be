package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A slotFile is a file that every proxy process maps shared, so that what it counted survives
// its death by any signal: DIR/counters.map with a slot for each ledger, and DIR/groups.map with
// a groupSlot for each group of each. All numbers are in the byte order of the machine. The file
// begins with a header of headerSize bytes:
//
//	0   magic "ANDONLDG", or "ANDONGRP"
//	8   uint32 version (countersVersion)
//	12  uint32 size of a slot
//
// Then come segments of segmentSlots slots; the file grows by one segment at a time.
type slotFile[S any, P slotOf[S]] struct {
	magic    string
	file     *os.File
	segments [][]byte // mapped; never unmapped before close
	unused   []P
}

// slotOf is what a slotFile knows of its slots.
type slotOf[S any] interface {
	*S
	inUse() bool
	check() error // of one in use: an error wraps errCorrupt
}

type countersFile = slotFile[slot, *slot]

const (
	countersMagic   = "ANDONLDG"
	groupsMagic     = "ANDONGRP"
	countersVersion = 1
	headerSize      = 64 << 10 // a multiple of every page size
	segmentSlots    = 256
	slotSize        = 512
	groupSlotSize   = 1024
	maxSegments     = 256 // 65,536 ledgers
)

// A slot counts for one ledger. A request is counted in one lane: each running process has a
// lane of its own, because while a proxy replaces another both count. Starting a request is
// one addition, and so is its end, so that at every instant, also at that of a kill, what is
// in flight is exactly started minus everything that it can end in.
type slot struct {
	used       uint32
	sum        uint32 // CRC-32 of the two names
	placeLen   uint16
	nameLen    uint16
	_          uint32
	order      uint64 // grows with every ledger that is opened
	place      [104]byte
	deployment [128]byte

	lanes [2]lane

	retried, atSwitch, drained, cutOff, upgraded atomic.Int64
	longestDrain                                 atomic.Int64 // milliseconds
	moved                                        atomic.Int64
	_                                            [72]byte
}

// A lane is what one process counts.
type lane struct {
	started, served, failed, clientGone, unknown atomic.Int64
	_                                            [24]byte
}

// inFlight returns how many requests have started and not ended in any way.
func (l *lane) inFlight() int64 {
	ended := l.served.Load() + l.failed.Load() + l.clientGone.Load() + l.unknown.Load()
	return l.started.Load() - ended
}

// settle counts what is in flight as unknown. The process that counted must be gone.
func (l *lane) settle() { l.unknown.Add(l.inFlight()) }

// The layout is a file format: these do not compile when it changes unnoticed.
var (
	_ [slotSize]byte      = [unsafe.Sizeof(slot{})]byte{}
	_ [groupSlotSize]byte = [unsafe.Sizeof(groupSlot{})]byte{}
	_ [64]byte            = [unsafe.Sizeof(lane{})]byte{}
)

var errCorrupt = errors.New("corrupt")

// openSlotFile maps the file, which it makes if it does not exist. An error that wraps
// errCorrupt means that the content is not what this build writes.
func openSlotFile[S any, P slotOf[S]](path, magic string) (*slotFile[S, P], error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	c := &slotFile[S, P]{magic: magic, file: f}
	if err := c.load(); err != nil {
		c.close()
		return nil, fmt.Errorf("counters %s: %w", path, err)
	}
	return c, nil
}

func (c *slotFile[S, P]) load() error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return c.create()
	}
	var header [16]byte
	if _, err := c.file.ReadAt(header[:], 0); err != nil {
		return fmt.Errorf("%w: shorter than its header", errCorrupt)
	}
	version := binary.NativeEndian.Uint32(header[8:])
	size := binary.NativeEndian.Uint32(header[12:])
	if string(header[:8]) != c.magic || version != countersVersion || int(size) != c.slotSize() {
		return fmt.Errorf("%w: header says %q version %d slot %d", errCorrupt, header[:8], version, size)
	}
	body := info.Size() - headerSize
	segment := int64(c.segmentSize())
	if body < segment || body%segment != 0 || body/segment > maxSegments {
		return fmt.Errorf("%w: size %d", errCorrupt, info.Size())
	}
	for range body / segment {
		if err := c.mapNext(); err != nil {
			return err
		}
	}
	for s := range c.slots {
		if !s.inUse() {
			c.unused = append(c.unused, s)
		} else if err := s.check(); err != nil {
			return err
		}
	}
	slices.Reverse(c.unused)
	return nil
}

// create writes the header last, so that a file cut short by a crash is seen as corrupt.
func (c *slotFile[S, P]) create() error {
	if err := c.grow(); err != nil {
		return err
	}
	for s := range c.slots {
		c.unused = append(c.unused, s)
	}
	slices.Reverse(c.unused)
	var header [16]byte
	copy(header[:], c.magic)
	binary.NativeEndian.PutUint32(header[8:], countersVersion)
	binary.NativeEndian.PutUint32(header[12:], uint32(c.slotSize()))
	_, err := c.file.WriteAt(header[:], 0)
	return err
}

// grow adds a segment to the file and maps it.
func (c *slotFile[S, P]) grow() error {
	if len(c.segments) == maxSegments {
		return fmt.Errorf("more than %d ledgers", maxSegments*segmentSlots)
	}
	if err := c.file.Truncate(headerSize + int64(len(c.segments)+1)*int64(c.segmentSize())); err != nil {
		return err
	}
	return c.mapNext()
}

func (c *slotFile[S, P]) mapNext() error {
	offset := headerSize + int64(len(c.segments))*int64(c.segmentSize())
	m, err := unix.Mmap(int(c.file.Fd()), offset, c.segmentSize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	c.segments = append(c.segments, m)
	return nil
}

// slots yields every slot, used or free.
func (c *slotFile[S, P]) slots(yield func(P) bool) {
	for _, m := range c.segments {
		for i := range segmentSlots {
			if !yield(P(unsafe.Pointer(&m[i*c.slotSize()]))) {
				return
			}
		}
	}
}

// take returns a slot that is not in use; the file grows if there is none. It is taken when it
// is marked as used: put gives it back.
func (c *slotFile[S, P]) take() (P, error) {
	if len(c.unused) == 0 {
		if err := c.grow(); err != nil {
			return nil, fmt.Errorf("the ledgers' file cannot grow: %w", err)
		}
		m := c.segments[len(c.segments)-1]
		for i := segmentSlots - 1; i >= 0; i-- {
			c.unused = append(c.unused, P(unsafe.Pointer(&m[i*c.slotSize()])))
		}
	}
	last := len(c.unused) - 1
	s := c.unused[last]
	c.unused = c.unused[:last]
	return s, nil
}

func (c *slotFile[S, P]) put(s P) { c.unused = append(c.unused, s) }

func (c *slotFile[S, P]) slotSize() int { return int(unsafe.Sizeof(*new(S))) }

func (c *slotFile[S, P]) segmentSize() int { return segmentSlots * c.slotSize() }

func (c *slotFile[S, P]) close() {
	for _, m := range c.segments {
		_ = unix.Munmap(m)
	}
	c.segments, c.unused = nil, nil
	c.file.Close()
}

// assign makes a free slot count for the named ledger, from zero.
func (s *slot) assign(place, deployment string, order uint64) error {
	if len(place) > len(s.place) || len(deployment) > len(s.deployment) {
		return fmt.Errorf("the name of ledger %q of %q is too long", deployment, place)
	}
	*s = slot{order: order, placeLen: uint16(len(place)), nameLen: uint16(len(deployment))}
	copy(s.place[:], place)
	copy(s.deployment[:], deployment)
	s.sum = s.checksum()
	atomic.StoreUint32(&s.used, 1)
	return nil
}

// release frees the slot. Nothing of it may be in flight.
func (s *slot) release() { atomic.StoreUint32(&s.used, 0) }

func (s *slot) inUse() bool { return atomic.LoadUint32(&s.used) != 0 }

func (s *slot) names() (place, deployment string) {
	return string(s.place[:s.placeLen]), string(s.deployment[:s.nameLen])
}

func (s *slot) check() error {
	if int(s.placeLen) > len(s.place) || int(s.nameLen) > len(s.deployment) || s.sum != s.checksum() {
		return fmt.Errorf("%w: a ledger's name does not match its checksum", errCorrupt)
	}
	return nil
}

func (s *slot) checksum() uint32 {
	return crc32.Update(crc32.ChecksumIEEE(s.place[:]), crc32.IEEETable, s.deployment[:])
}

func (s *slot) inFlight() int64 { return s.lanes[0].inFlight() + s.lanes[1].inFlight() }
