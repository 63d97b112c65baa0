"""How hot loops go through memory: row numbers, blocks, and reads asked for ahead of time."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Rows and counters in hot loops are unsigned: numba then leaves out the test for negative
# indices, which costs more than the work itself.
ROW = np.uint64
BLOCK = 1024  # rows that one pass leaves in the cache for the next


@intrinsic
def prefetch(typingctx, array, index):
    """Start loading ``array[index]`` without waiting for it, all axes of the array taken as one.

    A hint: it changes no result, and an index out of range does no harm.
    """
    def generate(context, builder, signature, arguments):
        array_type, index_type = signature.args
        data = context.make_array(array_type)(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        byte = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, is_data = word(0), word(3), word(1)
        builder.call(function, [builder.bitcast(place, byte), read, keep, is_data])
        return context.get_dummy_value()

    return types.void(array, index), generate
