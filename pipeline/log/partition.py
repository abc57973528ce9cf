"""Which partition a device's records live in: Kafka's own murmur2, so that any other producer agrees."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's DefaultPartitioner hash (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned 32-bit integer."""
    length = len(data)
    h = 0x9747B28C ^ length
    end = length & ~3
    for i in range(0, end, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[end:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def alias_partition_of(workspace: str, partitions: int) -> int:
    """The partition of a workspace on `aliases`: all statements of one are in one order."""
    return (murmur2(workspace.encode()) & 0x7FFFFFFF) % partitions


def partition_of(workspace: str, device: str, partitions: int) -> int:
    """The partition of a device on `hits` and on `stitched`: the very bytes that lead the table's sort key choose."""
    return (murmur2(f"{workspace}\0{device}".encode()) & 0x7FFFFFFF) % partitions
