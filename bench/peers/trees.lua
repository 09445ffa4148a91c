local function count(tree)
  local nodes = 1
  if tree.left then nodes = nodes + count(tree.left) end
  if tree.right then nodes = nodes + count(tree.right) end
  return nodes
end

local function build(depth)
  if depth == 0 then return { left = nil, right = nil } end
  return { left = build(depth - 1), right = build(depth - 1) }
end

local deepest = tonumber(arg[1]) or 10
local kept = build(deepest)
local depth = 4
while depth <= deepest do
  local trees = 2 ^ (deepest - depth + 4)
  local nodes = 0
  for i = 1, trees do nodes = nodes + count(build(depth)) end
  print(string.format("%d trees of depth %d: %d nodes", trees, depth, nodes))
  depth = depth + 4
end
print(string.format("one of depth %d kept: %d nodes", deepest, count(kept)))
